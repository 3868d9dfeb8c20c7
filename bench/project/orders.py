"""The handlers of the benchmark: each counts itself in memory, as those of every peer do."""

import asyncio
import time
from typing import Any

import tally

from pipeline import Job


async def noop(_: Job[Any]) -> None:
    tally.hit()


async def sleep(_: Job[Any]) -> None:
    await asyncio.sleep(0.01)
    tally.hit()


async def lat(job: Job[Any]) -> None:
    tally.hit(job.data.get("t"))


def noop_sync(_: Job[Any]) -> None:
    tally.hit()


def sleep_sync(_: Job[Any]) -> None:
    time.sleep(0.01)
    tally.hit()


def lat_sync(job: Job[Any]) -> None:
    tally.hit(job.data.get("t"))
