"""Lists of jobs by state, newest first, read in pages so that a queue of millions can be looked into."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from pipeline.errors import JobNotFound
from pipeline.job import State
from pipeline.store import keys
from pipeline.store.reader import JobView, Reader
from pipeline.store.store import run_blocking
from pipeline.store.wire import BlockingConnection, Command

LISTED: tuple[State, ...] = ("waiting", "delayed", "active", "completed", "dead", "cancelled")
PAGE = 200


class Filter(Struct, frozen=True):
    """Which jobs are meant; what is not given holds for all. `ended_before` is ms since 1970."""

    name: str | None = None
    error: str | None = None
    ended_before: int | None = None

    def holds(self, job: JobView) -> bool:
        """Whether the job is meant. `error` is a part of the error's type or message, in any case."""
        if self.name is not None and job.name != self.name:
            return False
        if self.error is not None:
            said = f"{job.error.type}: {job.error.message}" if job.error else ""
            if self.error.lower() not in said.lower():
                return False
        return self.ended_before is None or (
            job.finished_at is not None and job.finished_at <= self.ended_before
        )


def list_jobs(
    connection: BlockingConnection,
    reader: Reader,
    states: Sequence[State] = LISTED,
    *,
    only: Filter = Filter(),
    after: str | None = None,
) -> Iterator[JobView]:
    """The jobs in these states, newest first; those behind the job `after` when it is given.

    Pages are read as the iterator goes on. Raises JobNotFound when `after` is not in the list.
    """
    places = [place for state in states for place in _places(connection, reader, state)]
    policy = run_blocking(connection, reader.policy())
    newest_first = heapq.merge(
        *(_walk(connection, reader, state, pages, policy) for state, pages in places), key=_age
    )
    jobs = _once(newest_first)
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
    connection: BlockingConnection, reader: Reader, state: State, pages: Iterator[list[str]], policy: Any
) -> Iterator[JobView]:
    for ids in pages:
        for job in run_blocking(connection, reader.show(ids, policy)):
            # A stale entry of a waiting list names a job that is somewhere else by now.
            if job is not None and job.state == state:
                yield job


def _places(
    connection: BlockingConnection, reader: Reader, state: State
) -> list[tuple[State, Iterator[list[str]]]]:
    """The keys that hold a state's jobs, each as pages of ids, newest first."""
    queue = reader.queue

    def pages(ask: Callable[[int, int], Command]) -> tuple[State, Iterator[list[str]]]:
        return state, _pages(connection, ask)

    match state:
        case "waiting":
            levels = connection.call(("ZRANGE", keys.levels(queue), 0, -1))
            lists = [keys.wait(queue, int(level)) for level in levels] + [keys.alone(queue)]
            return [pages(_from_the_tail(key)) for key in lists]
        case "completed":
            return [pages(lambda first, last: ("LRANGE", keys.completed(queue), first, last))]
        case "active":
            workers = connection.call(("ZRANGE", keys.workers(queue), 0, -1))
            return [(state, _held(connection, keys.active(queue, name.decode()))) for name in workers]
        case "delayed" | "dead" | "cancelled":
            sets = {"delayed": keys.delayed, "dead": keys.dead, "cancelled": keys.cancelled}
            key = sets[state](queue)
            return [pages(lambda first, last: ("ZREVRANGE", key, first, last))]
    return []


def _from_the_tail(key: str) -> Callable[[int, int], Command]:
    return lambda first, last: ("LRANGE", key, -last - 1, -first - 1)


def _pages(connection: BlockingConnection, ask: Callable[[int, int], Command]) -> Iterator[list[str]]:
    for first in itertools.count(0, PAGE):
        command = ask(first, first + PAGE - 1)
        ids = [id.decode() for id in connection.call(command)]
        if command[0] == "LRANGE" and command[2] < 0:
            ids.reverse()
        if ids:
            yield ids
        if len(ids) < PAGE:
            return


def _held(connection: BlockingConnection, key: str) -> Iterator[list[str]]:
    leases = connection.call(("HGETALL", key))
    held = sorted(zip(leases[1::2], leases[::2], strict=True), key=lambda pair: -int(pair[0]))
    yield [id.decode() for _, id in held]
