"""The handlers of the cases. Each writes what it does with one write(2), which outlives a kill -9.

A line: what, queue, number, id, attempt, process, seconds of the monotonic clock. The number is the producer's own.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import Job

EVENTS = os.environ.get("FAULTS_EVENTS") or str(Path(__file__).parent / "events")
FILE = os.open(EVENTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what: str, job: Job[Any]) -> None:
    """Write a line."""
    of = f"{job.queue} {job.data['n']} {job.id} {job.attempt}"
    os.write(FILE, f"{what} {of} {os.getpid()} {time.monotonic():.6f}\n".encode())


async def work(job: Job[Any]) -> None:
    """Runs for `data["seconds"]`."""
    note("begin", job)
    if pill := job.data.get("pill"):
        PILLS[pill](job)
    await asyncio.sleep(job.data.get("seconds", 0))
    note("end", job)


async def chore(job: Job[Any]) -> dict[str, int]:
    """As `work`; it fails as often as `data["fails"]` says, and returns its process."""
    if job.attempt <= job.data.get("fails", 0):
        note("begin", job)
        raise ValueError("as it was told")
    await work(job)
    return {"pid": os.getpid()}


same_chore = chore
"""Under another name: a change from one to the other rolls the pool."""


async def nothing(job: Job[Any]) -> None:
    """Is over at once, and writes nothing; `data["seconds"]` makes it last, too."""
    if seconds := job.data.get("seconds", 0):
        await asyncio.sleep(seconds)


def block(job: Job[Any]) -> None:
    """Runs for that long as a plain function, in a thread."""
    note("begin", job)
    time.sleep(job.data.get("seconds", 0))
    note("end", job)


async def stall(job: Job[Any]) -> None:
    """Blocks its loop for that long."""
    note("begin", job)
    time.sleep(job.data["seconds"])  # noqa: ASYNC251 - this is what it is for
    note("end", job)


async def hog(job: Job[Any]) -> None:
    """One call of C code that keeps the GIL for that long: what `PyDLL` calls does not give it back."""
    note("begin", job)
    ctypes.PyDLL(None).poll(None, 0, round(job.data["seconds"] * 1000))
    note("end", job)


def segfault(_: Job[Any]) -> None:
    """Read where nothing is."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def abort(_: Job[Any]) -> None:
    """What a C library does that has enough."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()


def litter(job: Job[Any]) -> None:
    """Die, and leave processes behind."""
    for _ in range(5):
        subprocess.Popen(["sleep", job.data["mark"]])
    os._exit(0)


def gorge(_: Job[Any]) -> None:
    """Want more memory than there is: a MemoryError, which the process survives."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), before[1]))
    try:
        bytearray(1 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


PILLS: dict[str, Callable[[Job[Any]], object]] = {
    "exit": lambda _: os._exit(3),
    "segfault": segfault,
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "abort": abort,
    "litter": litter,
    "gorge": gorge,
}
