"""What a queue holds, and where it differs from its file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from pipeline.plan import Plan
from pipeline.status.histogram import buckets_of, percentiles
from pipeline.store.overrides import BY_FILE, Pause, Scale, decode
from pipeline.store.reader import Counts


class Override(Struct, frozen=True, kw_only=True):
    """What a person changed by hand: `value` holds instead of `file`, which is what the file says.

    `set_at` and `until_at` are ms since 1970; without `until_at` it holds until a person takes it back, or the file says
    something new. `by` and `set_at` of a queue that a person resumed are not known.
    """

    field: Literal["paused", "processes"]
    value: bool | int
    by: str | None = None
    set_at: int | None = None
    until_at: int | None = None
    file: bool | int | None = None


class QueueState(Struct, frozen=True, kw_only=True):
    """A queue: jobs kept now, and totals that only rise. `run_ms` and `wait_ms` are [p50, p99] since ever.

    `removed`: it was published once, and what runs has it no more: new jobs are refused. `held_until_at`: a handler
    raised RateLimited, and nothing starts before. `lanes`: how many wait in the fullest.
    """

    waiting: int
    delayed: int
    active: int
    blocked: int
    completed: int
    dead: int
    cancelled: int
    paused: bool
    workers: int
    oldest_waiting_ms: int | None
    enqueued_total: int
    completed_total: int
    dead_total: int
    cancelled_total: int
    redriven_total: int
    purged_total: int
    failed_attempts_total: int
    lost_leases_total: int
    duplicates_total: int
    reruns_total: int
    paused_by: str | None
    in_file: bool
    run_ms: tuple[float, float] | None
    wait_ms: tuple[float, float] | None
    overrides: list[Override] = []
    removed: bool = False
    held_until_at: int | None = None
    lanes: dict[str, int] = {}


class _Published(Struct, frozen=True):
    """What is needed here of the policy that was published."""

    paused: bool = False


def queue_state(counts: Counts, plan: Plan, name: str) -> QueueState:
    """The queue `name` of the plan that its file makes."""
    processes = next((pool.processes for pool in plan.pools.values() if name in pool.queues), None)
    overrides = list(overrides_of(counts, processes))
    by = next((one.by for one in overrides if one.field == "paused" and one.value), BY_FILE)
    total = counts.stats.get
    return QueueState(
        waiting=counts.waiting,
        delayed=counts.delayed,
        active=counts.active,
        blocked=0,
        completed=counts.completed,
        dead=counts.dead,
        cancelled=counts.cancelled,
        paused=counts.paused is not None,
        workers=counts.workers,
        oldest_waiting_ms=None if counts.oldest_at is None else max(counts.time - counts.oldest_at, 0),
        enqueued_total=counts.enqueued,
        completed_total=total("completed", 0),
        dead_total=total("dead", 0),
        cancelled_total=total("cancelled", 0),
        redriven_total=total("redriven", 0),
        purged_total=total("purged", 0),
        failed_attempts_total=total("failed", 0),
        lost_leases_total=total("lost_leases", 0),
        duplicates_total=total("duplicates", 0),
        reruns_total=total("reruns", 0),
        paused_by=None if counts.paused is None else by,
        in_file=name in plan.queues,
        run_ms=percentiles(buckets_of(counts.stats, "run:")),
        wait_ms=percentiles(buckets_of(counts.stats, "wait:")),
        overrides=overrides,
        removed=counts.removed is not None,
        held_until_at=counts.held if counts.held is not None and counts.held > counts.time else None,
        lanes=counts.lanes,
    )


def overrides_of(counts: Counts, processes: int | None) -> Iterator[Override]:
    """What people changed in a queue whose file wants so many processes."""
    policy = decode(counts.policy, _Published) or _Published()
    pause, scale = decode(counts.paused, Pause), decode(counts.scale, Scale)
    if counts.paused is not None:
        # What another version of this program wrote is shown as it stands.
        held = pause or Pause(counts.paused, 0)
        if held.by != BY_FILE:
            yield Override(
                field="paused",
                value=True,
                by=held.by,
                set_at=held.at or None,
                until_at=held.until,
                file=policy.paused,
            )
    elif policy.paused:
        yield Override(field="paused", value=False, file=True)
    if scale is not None:
        yield Override(
            field="processes",
            value=scale.processes,
            by=scale.by,
            set_at=scale.at,
            until_at=scale.until,
            file=processes,
        )
