"""Lists of jobs by state, newest first, read in pages so that a queue of millions can be looked into."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from pipeline.errors import JobNotFound
from pipeline.fingerprint import fingerprint
from pipeline.job import State
from pipeline.policy import QueuePolicy
from pipeline.store import keys
from pipeline.store.reader import JobView, Reader
from pipeline.store.store import run_blocking
from pipeline.store.wire import BlockingConnection

LISTED: tuple[State, ...] = ("waiting", "delayed", "active", "completed", "dead", "cancelled")
PAGE = 200
LANES = 500
"""So many lanes are looked into, the fullest."""
Page = Callable[[int, int], list[str]]
"""The ids at the places `first` to `last` of a key."""


class Filter(Struct, frozen=True):
    """Which jobs are meant; what is not given holds for all. `ended_before` is ms since 1970, `group` the id of a
    fingerprint."""

    name: str | None = None
    error: str | None = None
    ended_before: int | None = None
    group: str | None = None

    def holds(self, job: JobView) -> bool:
        """Whether the job is meant. `error` is a part of the error's type or message, in any case."""
        if self.name is not None and job.name != self.name:
            return False
        if self.error is not None:
            said = f"{job.error.type}: {job.error.message}" if job.error else ""
            if self.error.lower() not in said.lower():
                return False
        if self.group is not None and group_of(job) != self.group:
            return False
        return self.ended_before is None or (
            job.finished_at is not None and job.finished_at <= self.ended_before
        )


ALL = Filter()


def group_of(job: JobView) -> str | None:
    """The id of the group that a failed job is in."""
    error = job.error
    return fingerprint(error.type, error.message, error.traceback or "").id if error is not None else None


def list_jobs(
    connection: BlockingConnection,
    reader: Reader,
    policy: QueuePolicy,
    states: Sequence[State] = LISTED,
    *,
    only: Filter = ALL,
    after: str | None = None,
) -> Iterator[JobView]:
    """The jobs in these states, newest first; those behind the job `after` when it is given.

    Pages are read as the iterator goes on. Raises JobNotFound when `after` is not in the list.
    """
    walks = [
        _walk(connection, reader, state, page, policy)
        for state in states
        for page in _places(connection, reader, state)
    ]
    jobs = _once(heapq.merge(*walks, key=_age))
    if after is not None:
        jobs = _behind(jobs, after, reader.name)
    return filter(only.holds, jobs)


def _age(job: JobView) -> int:
    return -(job.finished_at or job.enqueued_at)


def _once(jobs: Iterable[JobView]) -> Iterator[JobView]:
    # While pages are read jobs move on, and a redriven job may stand in its list twice.
    seen: set[str] = set()
    for job in jobs:
        if job.id not in seen:
            seen.add(job.id)
            yield job


def _behind(jobs: Iterator[JobView], after: str, queue: str) -> Iterator[JobView]:
    if not any(job.id == after for job in jobs):
        raise JobNotFound(f"no job {after!r} in this list of {queue!r}", "it may have moved on: start anew")
    return jobs


def _walk(
    connection: BlockingConnection, reader: Reader, state: State, page: Page, policy: QueuePolicy
) -> Iterator[JobView]:
    for first in itertools.count(0, PAGE):
        ids = page(first, first + PAGE - 1)
        for job in run_blocking(connection, reader.show(ids, policy)) if ids else ():
            # A stale entry of a waiting list names a job that is somewhere else by now.
            if job is not None and job.state == state:
                yield job
        if len(ids) < PAGE:
            return


def _places(connection: BlockingConnection, reader: Reader, state: State) -> list[Page]:
    """The keys that hold a state's jobs, each as pages of ids, newest first."""
    queue = reader.queue

    def ids(*command: str | int) -> list[str]:
        return [id.decode() for id in connection.call(command)]

    def from_the_tail(key: str) -> Page:
        return lambda first, last: ids("LRANGE", key, -last - 1, -first - 1)[::-1]

    def in_lane(key: str) -> Page:
        return lambda first, last: [member.split(" ", 2)[2] for member in ids("ZREVRANGE", key, first, last)]

    match state:
        case "waiting":
            levels = [int(level) for level in ids("ZRANGE", keys.levels(queue), 0, -1)]
            lists = (*(keys.wait(queue, n) for n in levels), keys.alone(queue))
            lanes = [lane for lane in ids("ZREVRANGE", keys.lane_sizes(queue), 0, LANES) if lane]
            return [*map(from_the_tail, lists), *(in_lane(keys.lane(queue, lane)) for lane in lanes)]
        case "completed":
            return [lambda first, last: ids("LRANGE", keys.completed(queue), first, last)]
        case "active":
            workers = ids("ZRANGE", keys.workers(queue), 0, -1)
            return [_held(connection, keys.active(queue, worker)) for worker in workers]
        case "delayed" | "dead" | "cancelled":
            key = {"delayed": keys.delayed, "dead": keys.dead, "cancelled": keys.cancelled}[state](queue)
            return [lambda first, last: ids("ZREVRANGE", key, first, last)]
    return []


def _held(connection: BlockingConnection, key: str) -> Page:
    def page(first: int, last: int) -> list[str]:
        reply = connection.call(("HGETALL", key))
        # The field '' is no job: it pads the hash.
        held = [(int(lease), id) for id, lease in zip(reply[::2], reply[1::2], strict=True) if id]
        return [id.decode() for _, id in sorted(held, reverse=True)[first : last + 1]]

    return page
