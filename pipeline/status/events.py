"""What happened to a job, for programs."""

from __future__ import annotations

from typing import Any

from pipeline.store.events import Event

FAILED = ("retry", "dead", "reclaimed")


def told(happened: Event) -> dict[str, Any]:
    """An event for programs."""
    job = happened.job
    error = job.error if job is not None and happened.event in FAILED else None
    return {
        "at": happened.at,
        "queue": happened.queue,
        "id": happened.id,
        "event": happened.event,
        "name": job.name if job else None,
        "attempt": job.attempt if job else None,
        "duration_ms": duration(happened),
        "error": {"type": error.type, "message": error.message} if error else None,
    }


def duration(happened: Event) -> int | None:
    """How long the attempt took that ended a job, in ms, as far as it is kept."""
    job = happened.job
    if job is None or happened.event != job.state or job.finished_at is None or job.started_at is None:
        return None
    return job.finished_at - job.started_at
