"""Handlers that run in processes of their own; these import this module by themselves."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline import Discard, Job, RetryLater, SoftTimeout


class Declined(Exception):
    """An error of the user's."""


def plain(job: Job[Any]) -> dict[str, Any]:
    job.log(f"in {job.name}")
    job.progress({"part": job.data})
    return {"pid": os.getpid(), "attempt": job.attempt, "of": job.attempts, "path": sys.path[0]}


async def on_loop(job: Job[Any]) -> int:
    await job.log("one")
    await asyncio.sleep(0.001)
    await job.log("two")
    return os.getpid()


def typed(job: Job[int]) -> int:
    return job.data + 1


def raises(job: Job[Any]) -> None:
    match job.data:
        case "declined":
            raise Declined("no such card")
        case "discard":
            raise Discard("not worth it")
        case "later" if job.id not in SEEN:
            SEEN.add(job.id)
            raise RetryLater("20ms")
        case "object":
            return object()  # type: ignore[return-value]


SEEN: set[str] = set()


def spin(job: Job[Any]) -> str:
    """Keeps a processor busy, by Python."""
    Path(job.data).write_text(str(os.getpid()))
    end = time.monotonic() + 60
    try:
        while time.monotonic() < end:
            pass
    except SoftTimeout:
        return "softly"
    return "never"


def deaf(job: Job[Any]) -> None:
    """Lets nobody in, and has started something."""
    child = subprocess.Popen(["sleep", "60"])
    Path(job.data).write_text(f"{os.getpid()} {child.pid}")
    ctypes.PyDLL(None).sleep(60)


def die(job: Job[Any]) -> None:
    """Takes its process along; another thread of a library could do the same."""
    if job.data == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGSEGV)


@contextmanager
def opened() -> Iterator[None]:
    """A setup that tells what it did, in the file that the environment names."""
    path = Path(os.environ["APART_LIFE"])
    path.open("a").write(f"open {os.getpid()}\n")
    yield
    path.open("a").write(f"close {os.getpid()}\n")
