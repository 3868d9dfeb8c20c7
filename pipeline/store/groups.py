"""Dead jobs, grouped by the fingerprint of what they died of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from pipeline.fingerprint import fingerprint
from pipeline.job import decode_outcome
from pipeline.store import keys
from pipeline.store.blocking import BlockingConnection
from pipeline.store.wire import Connection

CHUNK = 200
"""Outcomes are read so many at a time: each may hold 32 KiB of traceback."""


class Dead(NamedTuple):
    """A dead job: its id, when it died (ms since 1970), and why."""

    id: str
    at: int
    type: str
    message: str
    traceback: str


class Group(Struct, frozen=True):
    """Dead jobs with one fingerprint. Times are ms since 1970; `sample` is the job that died last."""

    id: str
    type: str
    where: str
    message: str
    count: int
    first_at: int
    last_at: int
    sample: str


def grouped(jobs: Iterable[Dead]) -> list[Group]:
    """The groups of dead jobs, the largest first."""
    found: dict[str, Group] = {}
    for job in jobs:
        mark = fingerprint(job.type, job.message, job.traceback)
        before = found.get(mark.id)
        if before is None:
            found[mark.id] = Group(mark.id, mark.type, mark.where, mark.message, 1, job.at, job.at, job.id)
            continue
        newer = job.at > before.last_at
        found[mark.id] = Group(
            mark.id,
            mark.type,
            mark.where,
            mark.message,
            before.count + 1,
            min(before.first_at, job.at),
            max(before.last_at, job.at),
            job.id if newer else before.sample,
        )
    return sorted(found.values(), key=lambda group: (-group.count, -group.last_at))


def gathered(connection: BlockingConnection, queue: str, most: int) -> tuple[list[Group], int, bool]:
    """The groups of the dead jobs of a queue that died last, at most so many; how many were looked at, and whether these
    are all. No payload is read. Raises BrokerError."""
    ids = connection.call(("ZREVRANGE", keys.dead(queue), 0, most))
    chunks = [ids[first : min(first + CHUNK, most)] for first in range(0, min(len(ids), most), CHUNK)]
    found = grouped(
        job
        for chunk in chunks
        for job in _dead(chunk, connection.call(("HMGET", keys.outcomes(queue), *chunk)))
    )
    return found, min(len(ids), most), len(ids) <= most


def _dead(ids: Sequence[bytes], outcomes: Sequence[bytes | None]) -> Iterator[Dead]:
    for id, text in zip(ids, outcomes, strict=True):
        error = decode_outcome(text).error if text is not None else None
        if error is not None:
            yield Dead(id.decode(), error.at, error.type, error.message, error.traceback)


async def newest(connection: Connection, queue: str, count: int) -> list[Dead]:
    """The dead jobs of a queue that died last. Raises BrokerError."""
    ids = await connection.call(("ZREVRANGE", keys.dead(queue), 0, count - 1))
    if not ids:
        return []
    outcomes = await connection.call(("HMGET", keys.outcomes(queue), *ids))
    return list(_dead(ids, outcomes))
