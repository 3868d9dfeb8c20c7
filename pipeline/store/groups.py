"""Dead jobs, grouped by the fingerprint of what they died of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from pipeline.fingerprint import fingerprint
from pipeline.job import decode_outcome
from pipeline.store import keys
from pipeline.store.wire import Connection


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


async def newest(connection: Connection, queue: str, count: int) -> list[Dead]:
    """The dead jobs of a queue that died last. Raises BrokerError."""
    ids = await connection.call(("ZREVRANGE", keys.dead(queue), 0, count - 1))
    if not ids:
        return []
    outcomes = await connection.call(("HMGET", keys.outcomes(queue), *ids))
    found = []
    for id, text in zip(ids, outcomes, strict=True):
        error = decode_outcome(text).error if text is not None else None
        if error is not None:
            found.append(Dead(id.decode(), error.at, error.type, error.message, error.traceback))
    return found
