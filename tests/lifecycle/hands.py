"""Handlers for the lifecycle tests. Each writes what it does as a line of the file `events` in its project."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from pipeline import Job

HOARD: list[bytes] = []
EVENTS = Path(__file__).parent / "events"


def note(what: str, job: Job[Any]) -> None:
    write(what, job.queue, job.id, job.attempt)


def write(what: str, queue: str = "-", id: str = "-", attempt: int = 0) -> None:
    line = f"{what} {queue} {id} {attempt} {os.getpid()} {time.monotonic():.3f}\n"
    fd = os.open(EVENTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)


async def work(job: Job[Any]) -> None:
    """Runs for `data["seconds"]`."""
    note("begin", job)
    await asyncio.sleep(job.data.get("seconds", 0))
    note("end", job)


def until_let(job: Job[Any]) -> None:
    """Runs until there is a file `let` in its project."""
    note("begin", job)
    while not (EVENTS.parent / "let").exists():
        time.sleep(0.02)
    note("end", job)


async def once_slow(job: Job[Any]) -> None:
    """Takes a minute the first time that anybody runs it, and no time after that."""
    first = not EVENTS.exists() or f"begin {job.queue} {job.id} " not in EVENTS.read_text()
    note("begin", job)
    await asyncio.sleep(60 if first else 0)
    note("end", job)


async def stubborn(job: Job[Any]) -> None:
    """Does not let itself be cancelled."""
    note("begin", job)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            note("cancelled", job)


def block(job: Job[Any]) -> None:
    """A plain function, which runs in a thread."""
    note("begin", job)
    time.sleep(job.data.get("seconds", 0))
    note("end", job)


async def freeze_loop(job: Job[Any]) -> None:
    """Blocks the loop of its worker."""
    block(job)


def hold_gil(job: Job[Any]) -> None:
    """Lets no other thread of its worker run: a regular expression does not let go of the interpreter."""
    note("begin", job)
    until = time.monotonic() + job.data["seconds"]
    while time.monotonic() < until:
        re.match(r"(a+)+$", "a" * 22 + "b")
    note("end", job)


async def die(job: Job[Any]) -> None:
    """Takes its process along."""
    note("begin", job)
    os._exit(int(job.data.get("code", 9)))


async def fail(job: Job[Any]) -> None:
    note("begin", job)
    raise ValueError("no")


async def say(job: Job[Any]) -> None:
    """Logs a line, and one more in a thread; the first attempt fails."""
    logging.getLogger("shop").warning("on the loop")
    await asyncio.to_thread(logging.getLogger("shop").info, "in a thread")
    if job.attempt == 1:
        raise ValueError("no")


async def fail_late(job: Job[Any]) -> None:
    """Fails after `data["seconds"]`."""
    note("begin", job)
    await asyncio.sleep(job.data.get("seconds", 0))
    raise ValueError("no")


def setup() -> None:
    """What `setup` may name."""


@contextmanager
def watched(job: Job[Any]) -> Iterator[None]:
    """What `around` may name."""
    yield


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    """A `setup` that opens something and closes it in the end."""
    write("open")
    yield
    await asyncio.sleep(0.01)
    write("close")


async def other(job: Job[Any]) -> None:
    note("other", job)


async def grow(job: Job[Any]) -> None:
    """Takes `data["mebibytes"]` of memory and keeps them."""
    note("begin", job)
    HOARD.append(os.urandom(1024) * (1024 * job.data["mebibytes"]))
    await asyncio.sleep(job.data.get("seconds", 0))
    note("end", job)


async def stall(job: Job[Any]) -> None:
    """Blocks its loop, so that no time limit can reach it."""
    note("begin", job)
    time.sleep(60)  # noqa: ASYNC251 - this is what it tests
