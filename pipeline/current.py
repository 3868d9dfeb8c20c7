"""The job that runs here, for log lines: known to a handler's task or thread, and to the tasks that it begins."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

Call = Callable[[Any], Any]
_current: ContextVar[Any] = ContextVar("pipeline_job", default=None)


def remembered(call: Call, *, is_async: bool) -> Call:
    """`call`, a handler, such that `job_of` knows its job, or the jobs of its batch, for as long as it runs."""

    def plain(job: Any) -> Any:
        token = _current.set(job)
        try:
            return call(job)
        finally:
            _current.reset(token)

    async def awaited(job: Any) -> Any:
        token = _current.set(job)
        try:
            return await call(job)
        finally:
            _current.reset(token)

    return awaited if is_async else plain


def facts_of(job: Any = None) -> dict[str, Any]:
    """What a log line tells of `job`, or else of the one that runs here: its queue, name, id and attempt, of a batch the
    ids; all None when there is none."""
    found = _current.get() if job is None else job
    batch = found if isinstance(found, list) else []
    first = batch[0] if batch else found
    return {
        "queue": getattr(first, "queue", None),
        "job": getattr(first, "name", None),
        "id": None if batch else getattr(first, "id", None),
        "attempt": None if batch else getattr(first, "attempt", None),
        "ids": [one.id for one in batch] if batch else None,
    }
