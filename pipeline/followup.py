"""How a producer waits for the end of a job that it put in."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pipeline.producer import Duration
from pipeline.units import milliseconds

FIRST_LOOK, LONGEST_LOOK, GROWTH = 0.005, 0.25, 1.5
"""Seconds between two looks at a job, and by how much they grow."""
ENDED = ("completed", "dead", "cancelled")


def looks(queue: str, id: str, timeout: Duration) -> Iterator[float]:
    """The pauses between looks, in seconds, until the time is over. Raises TimeoutError then."""
    until, pause = time.monotonic() + milliseconds(timeout) / 1000, FIRST_LOOK
    while (left := until - time.monotonic()) > 0:
        yield min(pause, left)
        pause = min(pause * GROWTH, LONGEST_LOOK)
    raise TimeoutError(f"job {id!r} of {queue!r} has not ended within {timeout}")
