"""The newest failures of a project: jobs that died, and jobs that wait for their next attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from msgspec import Struct

from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.reader import JobView, Reader, ShownError
from pipeline.store.wire import Connection

EACH = 5


class Failure(Struct, frozen=True):
    """A failed attempt. `at` is ms since 1970; `dead`: there will be no other."""

    at: int
    queue: str
    id: str
    name: str
    attempt: int
    attempts: int
    dead: bool
    error: str


async def newest(
    connection: Connection,
    project: str,
    queues: Iterable[str],
    seen: Callable[[JobView], JobView] = lambda job: job,
) -> list[Failure]:
    """The last failures of these queues, newest first, as `seen` shows their jobs. Raises BrokerError."""
    found = await asyncio.gather(*(_of_queue(connection, Reader(project, queue), seen) for queue in queues))
    failures = [failure for some in found for failure in some]
    return sorted(failures, key=lambda failure: -failure.at)


async def _of_queue(
    connection: Connection, reader: Reader, seen: Callable[[JobView], JobView]
) -> list[Failure]:
    dead, delayed, policy = await asyncio.gather(
        connection.call(("ZREVRANGE", keys.dead(reader.queue), 0, EACH - 1)),
        connection.call(("ZREVRANGE", keys.delayed(reader.queue), 0, EACH - 1)),
        run(connection, reader.policy()),
    )
    ids = [id.decode() for id in (*dead, *delayed)]
    kept = await run(connection, reader.show(ids, policy)) if ids else []
    jobs = [seen(job) for job in kept if job is not None]
    return [_failure(job, job.error) for job in jobs if job.error is not None]


def _failure(job: JobView, error: ShownError) -> Failure:
    at = job.finished_at or (job.errors[-1].at if job.errors else job.enqueued_at)
    said = f"{error.type}: {error.message}" if error.message else error.type
    return Failure(at, job.queue, job.id, job.name, job.attempt, job.attempts, job.state == "dead", said)
