"""What a producer may do about a job that it put in: wait for its end, or cancel it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pipeline.job import Outcome, encode
from pipeline.policy import QueuePolicy
from pipeline.producer import Duration
from pipeline.store.reader import JobView
from pipeline.store.store import Call, Store
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


def cancelling(store: Store, job: JobView, policy: QueuePolicy | None, at: int) -> Call[str | None]:
    """The call that cancels a job; its result is the state that it was in. `at` is the server's time."""
    keep: int | str = "" if job.id.isdigit() else (policy or QueuePolicy("")).ids_keep
    outcome = encode(Outcome(job.attempt, None, at))
    return store.cancel(job.id, job.priority, job.key, keep, outcome)
