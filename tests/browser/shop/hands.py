"""The handlers of the shop that the browser tests look at: each does what its payload says."""

from __future__ import annotations

import asyncio
from typing import Any

from pipeline import Discard, Job

STEPS = 600


class GatewayBusy(Exception):
    """The gateway asks to come back later."""


async def capture(job: Job[Any]) -> dict[str, Any]:
    """Fails, is discarded, or answers with a receipt."""
    fate = job.data.get("fate") if isinstance(job.data, dict) else None
    await job.log("asked the gateway")
    if fate == "busy":
        raise GatewayBusy(f"503: try again in {job.attempt} s, card {job.data['card']}")
    if fate == "declined":
        raise Discard("the card was declined")
    return {"receipt": f"re_{job.id}", "token": "tok_very_secret"}


async def send(job: Job[Any]) -> None:
    """Sends nothing, in no time; or fails with the words that it was given."""
    if isinstance(job.data, dict) and "words" in job.data:
        await job.log(job.data["words"])
        raise ValueError(job.data["words"])


async def report(job: Job[Any]) -> None:
    """Takes its time, tells how far it is, and lets itself be cancelled."""
    for step in range(STEPS):
        await job.progress(step * 100 // STEPS)
        if step % 20 == 0:
            await job.log(f"page {step} of {STEPS}")
        await asyncio.sleep(0.5)


async def reserve(job: Job[Any]) -> dict[str, str]:
    """A step of the checkout."""
    return {"shelf": "A7"}


async def sync(job: Job[Any]) -> None:
    """Holds its lane for a while."""
    await asyncio.sleep(600)
