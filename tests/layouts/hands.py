"""The handlers of the shop."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from pipeline import Job

LAST = float(os.environ.get("LAST", "0"))


async def pay(job: Job[Any]) -> dict[str, Any]:
    await job.log("paid")
    return {"of": job.name}


async def refuse(job: Job[Any]) -> None:
    raise PermissionError(job.id)


async def again(job: Job[Any]) -> None:
    await job.progress(50)
    if job.attempt == 1:
        raise TimeoutError(job.id)


async def last(job: Job[Any]) -> None:
    await job.progress(1)
    await asyncio.sleep(LAST)
