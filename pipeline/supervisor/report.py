"""What a supervisor tells of itself: its first lines, and its record in the broker."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pipeline.plan import Plan
from pipeline.status.snapshot import SupervisorState, WorkerState
from pipeline.supervisor.fitness import Fitness
from pipeline.supervisor.host import host_name
from pipeline.supervisor.pool import Pool
from pipeline.supervisor.publish import Published


def start_lines(
    plan: Plan, pools: list[Pool], fitness: Fitness | None, published: Published
) -> Iterator[str]:
    """What runs, on which broker, and what that broker can lose."""
    workers = sum(pool.plan.processes for pool in pools)
    queues = sum(len(pool.queues) for pool in pools)
    yield f"{plan.name}, generation {published.generation}: {queues} queues, {workers} workers"
    if fitness is not None:
        kind = "embedded broker" if plan.broker.url == "embedded" else "broker"
        yield f"{kind} {fitness.kind} {fitness.version}: {fitness.loss}"
        for warning in fitness.warnings:
            yield f"warning: {warning}"
    if published.behind:
        yield "a newer file runs elsewhere: its policies count, those of this file are not published"


def record_of(
    plan: Plan, pools: list[Pool], published: Published, started_at: int, *, stopping: bool
) -> SupervisorState:
    """The supervisor, for `status`."""
    children = [child for pool in pools for child in pool.children]
    return SupervisorState(
        host=host_name(),
        pid=os.getpid(),
        generation=published.generation,
        hash=plan.hash,
        state="stopping" if stopping else "behind" if published.behind else "ready",
        reason="a newer file runs elsewhere" if published.behind else None,
        started_at=started_at,
        pools=[record for pool in pools for record in pool.records()],
        workers=[WorkerState(c.label, c.pid, c.busy, c.memory()) for c in children],
    )
