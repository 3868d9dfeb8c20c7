"""The handlers of the cases. Each writes what it does with one write(2), which outlives a kill -9.

A line: what, number, id, attempt, process, seconds of the monotonic clock. The number is the producer's own.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from pipeline import Job

EVENTS = os.environ.get("FAULTS_EVENTS") or str(Path(__file__).parent / "events")
FILE = os.open(EVENTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what: str, job: Job[Any]) -> None:
    """Write a line."""
    number = job.data["n"]
    os.write(FILE, f"{what} {number} {job.id} {job.attempt} {os.getpid()} {time.monotonic():.6f}\n".encode())


async def work(job: Job[Any]) -> None:
    """Runs for `data["seconds"]`."""
    note("begin", job)
    await asyncio.sleep(job.data.get("seconds", 0))
    note("end", job)


def block(job: Job[Any]) -> None:
    """The same as a plain function, which runs in a thread."""
    note("begin", job)
    time.sleep(job.data.get("seconds", 0))
    note("end", job)
