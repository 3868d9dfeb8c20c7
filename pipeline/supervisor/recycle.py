"""When a worker has done enough."""

from __future__ import annotations

from pipeline.clock import monotonic_ms
from pipeline.plan import RecyclePlan
from pipeline.supervisor.child import Child

AGE_JITTER = 0.1


def worn(child: Child, limits: RecyclePlan) -> str | None:
    """Which limit a worker has reached. Ages differ by a tenth, so that workers do not all go at once."""
    if limits.max_jobs is not None and child.settled >= limits.max_jobs:
        return "max_jobs"
    if limits.max_memory is not None and (child.memory() or 0) >= limits.max_memory:
        return "max_memory"
    age = monotonic_ms() - child.started
    if limits.max_age is not None and age >= limits.max_age * (1 - AGE_JITTER * child.chance):
        return "max_age"
    return None
