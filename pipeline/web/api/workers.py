"""Supervisors and their workers: where they are, what they need, what each is running."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from pipeline.status import supervisors
from pipeline.status.supervisors import SupervisorState, WorkerState
from pipeline.store import keys, reader
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run
from pipeline.store.listing import look_at
from pipeline.store.reader import Reader
from pipeline.web.api.common import BASE, short
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

LOOKED_MS = 10_000
MOST_NAMED = 500


class PoolLine(Struct, frozen=True, kw_only=True):
    """A queue's pool under one supervisor."""

    pool: str
    queue: str
    state: str
    processes: int
    reason: str | None
    recycled: dict[str, int]


class RunningJob(Struct, frozen=True, kw_only=True):
    """A job that runs, since when and until when, in ms since 1970. `name` is None when it has ended by now."""

    queue: str
    id: str
    name: str | None
    since_at: int
    deadline_at: int | None


class WorkerLine(Struct, frozen=True, kw_only=True):
    """A worker process; `memory` in bytes. `jobs_told`: its supervisor tells what it runs."""

    name: str
    pid: int
    running: int
    memory: int | None
    code: str | None
    started_at: int | None
    jobs: list[RunningJob]
    jobs_told: bool


class SupervisorLine(Struct, frozen=True, kw_only=True):
    """A supervisor, as it last said of itself."""

    host: str
    pid: int
    state: str
    reason: str | None
    live: bool
    generation: int
    hash: str
    profile: str | None
    held: bool
    started_at: int
    reloads_total: int
    failed_reloads_total: int
    reloaded_at: int | None
    pools: list[PoolLine]
    workers: list[WorkerLine]


class SupervisorList(Struct, frozen=True):
    """Every supervisor."""

    supervisors: list[SupervisorLine]


Names = dict[tuple[str, str], str]


async def started(shop: Shop, queue: str, id: str) -> int | None:
    """Since when a job runs, in ms since 1970, as soon as its supervisor tells."""
    connection = shop.connection
    await connection.call(("SET", keys.looked(shop.project), 1, "PX", LOOKED_MS))
    records = await run(connection, reader.supervisors(shop.project))
    found = supervisors.read(records, await run(connection, reader.server_time()))
    running = (job for one in found for worker in one.workers for job in worker.jobs or ())
    return next((job.since_at for job in running if (job.queue, job.id) == (queue, id)), None)


async def show(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """Every supervisor with its workers."""
    connection = shop.connection
    # They tell what each worker runs for as long as somebody looks.
    await connection.call(("SET", keys.looked(shop.project), 1, "PX", LOOKED_MS))
    records = await run(connection, reader.supervisors(shop.project))
    time = await run(connection, reader.server_time())
    found = supervisors.read(records, time)
    wanted = [(job.queue, job.id) for one in found for worker in one.workers for job in worker.jobs or ()]
    project = shop.project
    names = (
        await shop.desk.hands.run(lambda hands: _names(hands, project, wanted[:MOST_NAMED])) if wanted else {}
    )
    return as_json(SupervisorList([_line(one, time, names) for one in found]))


def _names(connection: BlockingConnection, project: str, wanted: list[tuple[str, str]]) -> Names:
    """The names of these jobs."""
    names: Names = {}
    for queue in {queue for queue, _ in wanted}:
        ids = [id for name, id in wanted if name == queue]
        for job in look_at(connection, Reader(project, queue), ids):
            if job is not None:
                names[queue, job.id] = short(job.name)
    return names


def _line(one: SupervisorState, time: int, names: Names) -> SupervisorLine:
    own: dict[str, Any] = {
        field: getattr(one, field)
        for field in SupervisorLine.__struct_fields__
        if field in SupervisorState.__struct_fields__ and field not in ("pools", "workers")
    }
    pools = [
        PoolLine(
            pool=pool.pool or pool.queue,
            queue=pool.queue,
            state=pool.state,
            processes=pool.processes,
            reason=pool.reason,
            recycled=pool.recycled,
        )
        for pool in one.pools
    ]
    workers = [_worker(worker, names) for worker in one.workers]
    return SupervisorLine(live=one.until >= time, pools=pools, workers=workers, **own)


def _worker(worker: WorkerState, names: Names) -> WorkerLine:
    jobs = [
        RunningJob(
            queue=job.queue,
            id=job.id,
            name=names.get((job.queue, job.id)),
            since_at=job.since_at,
            deadline_at=job.deadline_at,
        )
        for job in worker.jobs or ()
    ]
    return WorkerLine(
        name=worker.name,
        pid=worker.pid,
        running=worker.running,
        memory=worker.memory,
        code=worker.code,
        started_at=worker.started_at,
        jobs=jobs,
        jobs_told=worker.jobs is not None,
    )


ROUTES = (
    Route("GET", f"{BASE}/workers", "viewer", show, "Supervisors and their workers.", answer=SupervisorList),
)
