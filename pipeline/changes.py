"""What a producer does to a job that is in already: change, promote, retry or duplicate it.

Each is a generator of calls that returns its result, so that clients with and without a loop go the same steps.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from pipeline.errors import WrongState
from pipeline.job import NO_OPTIONS, decode_job, decode_sealed, encode_record
from pipeline.policies import job_not_found
from pipeline.policy import QueuePolicy
from pipeline.producer import (
    Duration,
    Wanted,
    check_schema,
    checked_priority,
    checked_record,
    due_of,
)
from pipeline.store.bulk import again
from pipeline.store.call import Call
from pipeline.store.reader import JobView, Reader, server_time
from pipeline.store.store import Store

Result = TypeVar("Result")
Steps = Generator[Call[Any], Any, Result]
UNCHANGED: Any = type("Unchanged", (), {"__repr__": lambda _: "UNCHANGED"})()


class Change(NamedTuple):
    """What is to be different; what is not given stays."""

    data: Any = UNCHANGED
    priority: int | None = None
    delay: Duration | None = None
    at: datetime | None = None
    front: bool = False


class Place(NamedTuple):
    """A queue: how it is asked, and how its jobs are moved."""

    reader: Reader
    store: Store


def updating(place: Place, id: str, change: Change, policy: QueuePolicy) -> Steps[str]:
    """Change a job; the state it is in then. Raises EnqueueError, JobNotFound or WrongState."""
    due = due_of(Wanted("", None, delay=change.delay, at=change.at, front=change.front))
    while True:
        kept = yield place.reader.kept(id)
        job, seen = _found(place, id, kept)
        now = yield server_time()
        was, level, record = revised(policy, job, seen, change, due, now)
        before, after = yield place.store.change(id, seen, record, was, level, due)
        if after is not None:
            return str(after)
        # Somebody else changed it, or it was trimmed, since it was read: once more.
        if before is not None and before != "changed":
            raise _not_changed(place.reader.name, id, before)


def revised(
    policy: QueuePolicy, job: JobView, seen: bytes, change: Change, due: str, now: int
) -> tuple[int, int, bytes]:
    """A job's priority, its new one, and its new record. The payload is checked as an enqueue's is; the deduplication
    key stays. What `expires` moves with its time."""
    old = decode_sealed(seen)
    options = old.options
    if change.priority is not None:
        options = replace(options, priority=checked_priority(change.priority))
    if due and options.expires is not None:
        options = replace(options, expires=options.expires + _later(due, now) - (job.due_at or now))
    level = options.priority
    options = NO_OPTIONS if options == NO_OPTIONS else options
    if change.data is UNCHANGED:
        return job.priority, level, encode_record(old.enqueued_at, old.name, old.data, options)
    known = policy.job(old.name)
    if known is not None and known.schema is not None:
        check_schema(policy.name, old.name, known.schema, change.data)
    return job.priority, level, checked_record(policy, old.enqueued_at, old.name, change.data, options)


def promoting(place: Place, id: str) -> Steps[str]:
    """A delayed job is due now; the state it was in. Raises JobNotFound."""
    job, _ = _found(place, id, (yield place.reader.kept(id)))
    return (yield place.store.hasten(id, job.priority)) or job.state


def retrying(place: Place, id: str) -> Steps[str]:
    """A dead or cancelled job waits again, from attempt 1; the state it was in, or `duplicate of 18` when another holds
    its deduplication key. Raises JobNotFound."""
    job, _ = _found(place, id, (yield place.reader.kept(id)))
    policy = yield place.reader.policy()
    (state,) = yield place.store.redrive([again(job, policy)])
    return state or job.state


def copying(place: Place, id: str, new_id: str | None) -> Steps[Wanted]:
    """A job like one that is kept, due now, to be enqueued as any other. Raises JobNotFound."""
    _, seen = _found(place, id, (yield place.reader.kept(id)))
    job = decode_job(seen)
    own = job.options
    expires = None if own.expires is None else timedelta(milliseconds=max(own.expires - job.enqueued_at, 0))
    hard = own.timeout.hard if own.timeout is not None else None
    timeout = None if hard is None else timedelta(milliseconds=hard)
    return Wanted(
        job.name,
        job.data,
        id=new_id,
        priority=own.priority,
        attempts=own.attempts,
        backoff=own.backoff,
        timeout=timeout,
        expires=expires,
    )


def _found(place: Place, id: str, kept: tuple[JobView, bytes] | None) -> tuple[JobView, bytes]:
    if kept is None:
        raise job_not_found(place.reader.name, id)
    return kept


def _later(due: str, now: int) -> int:
    if due == "front":
        return now
    return now + int(due[1:]) if due[0] == "+" else max(int(due), now)


def _not_changed(queue: str, id: str, state: str) -> WrongState:
    if state == "alone":
        return WrongState(
            f"job {id} of {queue!r} waits for a process of its own",
            "its payload and priority can be changed, its time cannot",
        )
    if state in ("dead", "cancelled"):
        help = "its payload and priority can be changed; `pipeline jobs retry` makes it wait again"
        return WrongState(f"job {id} of {queue!r} is {state}: it has no time to change", help)
    help = (
        "it can be changed again when it waits" if state == "active" else "`duplicate` makes a new one of it"
    )
    return WrongState(f"job {id} of {queue!r} is {state}: it cannot be changed", help)
