"""Lists of jobs by state, newest first, read in pages so that a queue of millions can be looked into."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from pipeline.errors import JobNotFound
from pipeline.fingerprint import fingerprint
from pipeline.job import State, encode
from pipeline.policy import QueuePolicy
from pipeline.store import keys
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.reader import JobView, Reader
from pipeline.store.wire import checked

LISTED: tuple[State, ...] = ("waiting", "delayed", "active", "completed", "dead", "cancelled")
PAGE = 200
LANES = 500
"""So many lanes are looked into, the fullest."""
HEAVY = 1_048_576
"""So many bytes of jobs are read at once, at most, unless a single one has more."""
Page = Callable[[int, int], list[str]]
"""The ids at the places `first` to `last` of a key."""


class Place(NamedTuple):
    """A key that holds jobs of a state. `rank` tells at which place of it a job stands, where that can be asked."""

    page: Page
    rank: Callable[[str], int | None] | None = None


class Filter(Struct, frozen=True):
    """Which jobs are meant; what is not given holds for all. `until` and `since` (ms since 1970) bound when a job ended,
    or came if it has not ended; `id` is how its id begins, `group` the id of a fingerprint."""

    name: str | None = None
    error: str | None = None
    until: int | None = None
    since: int | None = None
    text: str | None = None
    id: str | None = None
    group: str | None = None

    def holds(self, job: JobView) -> bool:
        """Whether the job is meant. `error` is a part of the error's type or message, `text` of that, the id, the name
        or the payload, in any case."""
        at = job.finished_at or job.enqueued_at
        return (
            self.name in (None, job.name)
            and job.id.startswith(self.id or "")
            and (self.until is None or at <= self.until)
            and (self.since is None or at >= self.since)
            and (self.error is None or self.error.lower() in _said(job).lower())
            and (self.text is None or self.text.lower() in _all_said(job).lower())
            and (self.group is None or group_of(job) == self.group)
        )


ALL = Filter()


def _said(job: JobView) -> str:
    return f"{job.error.type}: {job.error.message}" if job.error else ""


def _all_said(job: JobView) -> str:
    return "\n".join((job.id, job.name, _said(job), encode(job.data).decode()))


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
    deepest: int | None = None,
) -> Iterator[JobView]:
    """The jobs in these states, newest first; those behind the job `after` when it is given.

    Pages are read as the iterator goes on. Raises JobNotFound when `after` is not in the list, or when more than
    `deepest` jobs would have to be read to come to it.
    """
    places = [(state, place) for state in states for place in _places(connection, reader, state)]
    first, found = 0, after is None
    if after is not None and len(places) == 1 and places[0][1].rank is not None:
        rank = places[0][1].rank(after)
        first, found = (0, False) if rank is None else (rank + 1, True)
    walks = [_walk(connection, reader, state, place.page, policy, first) for state, place in places]
    jobs = _once(heapq.merge(*walks, key=_age))
    if after is not None and not found:
        jobs = _behind(jobs, after, reader.name, deepest)
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


def _behind(jobs: Iterator[JobView], after: str, queue: str, deepest: int | None) -> Iterator[JobView]:
    if not any(job.id == after for job in itertools.islice(jobs, deepest)):
        raise JobNotFound(f"no job {after!r} in this list of {queue!r}", "it may have moved on: start anew")
    return jobs


def _walk(
    connection: BlockingConnection, reader: Reader, state: State, page: Page, policy: QueuePolicy, start: int
) -> Iterator[JobView]:
    for first in itertools.count(start, PAGE):
        ids = page(first, first + PAGE - 1)
        for job in look_at(connection, reader, ids, policy):
            # A stale entry of a waiting list names a job that is somewhere else by now.
            if job is not None and job.state == state:
                yield job
        if len(ids) < PAGE:
            return


def look_at(
    connection: BlockingConnection, reader: Reader, ids: Sequence[str], policy: QueuePolicy | None = None
) -> Iterator[JobView | None]:
    """What is kept of these jobs, read in pieces."""
    for some in pieces(connection, reader.queue, ids):
        yield from run_blocking(connection, reader.show(some, policy))


def pieces(connection: BlockingConnection, queue: str, ids: Sequence[str]) -> Iterator[list[str]]:
    """The ids of so many jobs at a time as a small process can hold."""
    return _by_weight(ids, _weights(connection, queue, ids))


def _weights(connection: BlockingConnection, queue: str, ids: Sequence[str]) -> list[int]:
    """The bytes of each job's record and outcome."""
    kept = (keys.jobs(queue), keys.outcomes(queue))
    sizes = connection.call_many([("HSTRLEN", key, id) for key in kept for id in ids])
    return [
        checked(record) + checked(end)
        for record, end in zip(sizes[: len(ids)], sizes[len(ids) :], strict=True)
    ]


def _by_weight(ids: Sequence[str], weights: Sequence[int]) -> Iterator[list[str]]:
    some: list[str] = []
    total = 0
    for id, weight in zip(ids, weights, strict=True):
        if some and total + weight > HEAVY:
            yield some
            some, total = [], 0
        some.append(id)
        total += weight
    if some:
        yield some


def _places(connection: BlockingConnection, reader: Reader, state: State) -> list[Place]:
    """The keys that hold a state's jobs, each as pages of ids, newest first."""
    queue = reader.queue

    def ids(*command: str | int) -> list[str]:
        return [id.decode() for id in connection.call(command)]

    def from_the_tail(key: str) -> Place:
        def rank(id: str) -> int | None:
            at, length = map(checked, connection.call_many([("LPOS", key, id, "RANK", -1), ("LLEN", key)]))
            return None if at is None else int(length) - 1 - int(at)

        return Place(lambda first, last: ids("LRANGE", key, -last - 1, -first - 1)[::-1], rank)

    def in_lane(key: str) -> Place:
        return Place(
            lambda first, last: [member.split(" ", 2)[2] for member in ids("ZREVRANGE", key, first, last)]
        )

    def rank_of(*command: str) -> Callable[[str], int | None]:
        return lambda job: connection.call((*command, job))

    match state:
        case "waiting":
            levels = [int(level) for level in ids("ZRANGE", keys.levels(queue), 0, -1)]
            lists = [*(keys.wait(queue, n) for n in levels), keys.alone(queue)]
            lengths = connection.call_many([("LLEN", key) for key in lists])
            lists = [key for key, length in zip(lists, lengths, strict=True) if checked(length)]
            lanes = [lane for lane in ids("ZREVRANGE", keys.lane_sizes(queue), 0, LANES) if lane]
            return [*map(from_the_tail, lists), *(in_lane(keys.lane(queue, lane)) for lane in lanes)]
        case "completed":
            key = keys.completed(queue)
            return [Place(lambda first, last: ids("LRANGE", key, first, last), rank_of("LPOS", key))]
        case "active":
            workers = ids("ZRANGE", keys.workers(queue), 0, -1)
            return [Place(_held(connection, keys.active(queue, worker))) for worker in workers]
        case "delayed" | "dead" | "cancelled":
            key = {"delayed": keys.delayed, "dead": keys.dead, "cancelled": keys.cancelled}[state](queue)
            return [Place(lambda first, last: ids("ZREVRANGE", key, first, last), rank_of("ZREVRANK", key))]
    return []


def _held(connection: BlockingConnection, key: str) -> Page:
    def page(first: int, last: int) -> list[str]:
        reply = connection.call(("HGETALL", key))
        # The field '' is no job: it pads the hash.
        held = [(int(lease), id) for id, lease in zip(reply[::2], reply[1::2], strict=True) if id]
        return [id.decode() for _, id in sorted(held, reverse=True)[first : last + 1]]

    return page
