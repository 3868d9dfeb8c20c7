"""What a worker's log says of a failed attempt: one line that a person can act on."""

from __future__ import annotations

import logging
from typing import Any

from pipeline.job import Job
from pipeline.retry import Failure
from pipeline.store.store import Move
from pipeline.units import words

log = logging.getLogger("pipeline.worker")


def tell_failure(job: Job[Any], why: Failure, move: Move) -> None:
    """One line for an attempt that failed: what, which attempt, why, and what follows."""
    error = f"{why.error.type}: {why.error.message}".splitlines()[0] if why.error.type else why.error.message
    run = f"{job.name} {job.id}, attempt {job.attempt} of {job.attempts}"
    if move.move == "dead":
        log.error("%s, is dead: %s", run, error, extra={"about": job})
    elif move.move == "cancelled":
        log.info("%s, is cancelled: %s", run, error, extra={"about": job})
    elif why.later is not None:
        log.info("%s, comes back in %s: %s", run, words(why.later), error, extra={"about": job})
    else:
        log.warning(
            "%s, failed and runs again in %s: %s", run, words(move.delay), error, extra={"about": job}
        )


def tell_crash(job: Job[Any], why: str, move: Move) -> None:
    """One line for a job whose own process did not survive it."""
    then = "is dead" if move.move == "dead" else "runs again"
    log.error("%s %s, %s: %s", job.name, job.id, then, why, extra={"about": job})


def listed(ids: list[bytes]) -> str:
    """A few ids, and how many more there are."""
    shown = ", ".join(id.decode() for id in ids[:5])
    return shown + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
