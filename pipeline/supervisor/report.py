"""What a supervisor tells of itself: its first lines, and its record in the broker."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from pipeline.clock import monotonic_ms, now_ms
from pipeline.plan import Plan
from pipeline.status.supervisors import RunningState, SupervisorState, WebState, WorkerState
from pipeline.supervisor.child import Child
from pipeline.supervisor.fitness import Fitness
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.host import host_name
from pipeline.supervisor.pool import Pool
from pipeline.supervisor.publish import Published
from pipeline.supervisor.reload import Reloader

Standing = Literal["ready", "stale", "behind", "stopping"]
BEHIND = "a newer file runs elsewhere"
SHOWN_JOBS = 20
"""Of one worker."""


def start_lines(
    plan: Plan, pools: Sequence[Pool], fitness: Fitness | None, published: Published
) -> Iterator[str]:
    """What runs, on which broker, and what that broker can lose."""
    workers = sum(pool.wanted for pool in pools)
    queues = sum(len(pool.queues) for pool in pools)
    yield f"{plan.name}, generation {published.generation}: {queues} queues, {workers} workers"
    if fitness is not None:
        kind = "embedded broker" if plan.broker.url == "embedded" else "broker"
        yield f"{kind} {fitness.kind} {fitness.version}: {fitness.loss}"
        for warning in fitness.warnings:
            yield f"warning: {warning.sentence}; {warning.help}"
    if published.behind:
        yield "a newer file runs elsewhere: its policies count, those of this file are not published"


def record_of(
    fleet: Fleet,
    published: Published,
    reloader: Reloader,
    started_at: int,
    alerts: Mapping[str, str],
    web: WebState | None,
    *,
    stopping: bool,
) -> SupervisorState:
    """The supervisor, for `status`."""
    state, reason = _standing(published, reloader, stopping=stopping)
    return SupervisorState(
        host=host_name(),
        pid=os.getpid(),
        generation=published.generation,
        hash=fleet.plan.hash,
        state=state,
        reason=reason,
        started_at=started_at,
        pools=[record for pool in fleet.pools for record in pool.records()],
        workers=[worker_of(child, now_ms()) for child in fleet.children],
        profile=fleet.plan.profile,
        held=reloader.held,
        reloads_total=reloader.applied,
        failed_reloads_total=reloader.failed,
        reloaded_at=reloader.applied_at,
        alerts=dict(alerts),
        web=web,
    )


def status_line(record: SupervisorState, reason: str | None) -> str:
    """One line for people; `reason` is why jobs are not worked, or None."""
    if record.state == "stale":
        return f"generation {record.generation} runs, the file cannot: {record.reason}"
    workers = len(record.workers)
    what = f"generation {record.generation}, {workers} worker{'' if workers == 1 else 's'}"
    return f"{what}: {reason}" if reason is not None else what


def worker_of(child: Child, now: int) -> WorkerState:
    """A worker. `now` is ms since 1970."""
    started = now - (monotonic_ms() - child.started)
    return WorkerState(child.label, child.pid, child.busy, child.memory(), child.code_version, started)


def with_jobs(record: SupervisorState, fleet: Fleet, now: int) -> SupervisorState:
    """The record with what each worker runs, those that run longest first. `now` is the server's time."""
    workers = [replace(worker_of(child, now), jobs=_jobs(child, now)) for child in fleet.children]
    return replace(record, workers=workers)


def _jobs(child: Child, now: int) -> list[RunningState]:
    off = now - monotonic_ms()
    found = [
        RunningState(queue, job.id, job.begun + off, job.deadline + off if job.deadline else None)
        for queue, jobs in child.running().items()
        for job in jobs
    ]
    return sorted(found, key=lambda job: job.since_at)[:SHOWN_JOBS]


def _standing(published: Published, reloader: Reloader, *, stopping: bool) -> tuple[Standing, str | None]:
    if stopping:
        return "stopping", None
    if reloader.trouble is not None:
        return "stale", reloader.trouble.splitlines()[0]
    return ("behind", BEHIND) if published.behind else ("ready", None)
