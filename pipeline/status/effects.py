"""What a change of the plan does to the jobs that are there: what stays behind, dies, or drains sooner. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from pipeline.diff import Change
from pipeline.plan import Plan
from pipeline.policy import QueuePolicy, Retention
from pipeline.status.histogram import Buckets, mean, share_above
from pipeline.units import words

LOOKED_AT = 1_000
FEW_RUNS = 100
"""With fewer kept attempts the histogram tells more."""
RESTART = "stop `pipeline run`, and start it again"
Run = tuple[str, int]
"""A job's name, and how long its last attempt took in ms."""


class Facts(Struct, frozen=True):
    """What a queue holds. `run` is the histogram of its attempts, `hosts` how many supervisors serve it.

    `names` are the job names of what waits or is delayed, `runs` the attempts of completed jobs: the newest
    LOOKED_AT of each, and only where a change asks for them.
    """

    waiting: int = 0
    delayed: int = 0
    completed: int = 0
    dead: int = 0
    run: Buckets = {}
    hosts: int = 1
    paused: bool = False
    names: Sequence[str] = ()
    runs: Sequence[Run] = ()


NOTHING = Facts()


def touched(change: Change, old: Plan, new: Plan) -> tuple[str, ...]:
    """The queues that a change is about: its own, or those of its pool."""
    if change.queue is not None:
        return (change.queue,)
    pool = (old.pools.get(change.pool) or new.pools.get(change.pool)) if change.pool else None
    return pool.queues if pool else ()


def asks_for_names(change: Change) -> bool:
    """Whether jobs may be left without a handler."""
    return change.to is None and (change.leaf == "handler" or (change.job is not None and not change.leaf))


def asks_for_runs(change: Change) -> bool:
    """Whether attempts get another time limit."""
    return change.leaf in ("timeout", "timeout.soft", "timeout.hard")


def effect(change: Change, old: Plan, new: Plan, facts: dict[str, Facts]) -> str | None:
    """What a change does, for people; None when there is nothing to say. `facts` are those of the queues that it is
    about."""
    told = [_on_queue(change, old, new, name, facts.get(name, NOTHING)) for name in touched(change, old, new)]
    return "; ".join([*filter(None, told), *_on_project(change, old)]) or None


def _on_project(change: Change, old: Plan) -> Iterator[str]:
    if change.path == "name":
        yield f"another project: what {old.name} holds stays in the broker, and nobody runs it"
    if change.path == "broker.url":
        yield "what the old broker holds stays there"
    if change.change_class == "restart":
        yield RESTART


def _on_queue(change: Change, old: Plan, new: Plan, queue: str, held: Facts) -> str | None:
    before, after = old.queues.get(queue), new.queues.get(queue)
    if after is None:
        return _left_behind(held)
    if before is None:
        return f"{_jobs(held.waiting)} here from before" if held.waiting else None
    match change.leaf:
        case "concurrency" | "max_active" | "processes":
            told = _drain(held, slots(old, queue, held.hosts), slots(new, queue, held.hosts))
            return f"{queue}: {told}" if told and change.pool else told
        case "timeout" | "timeout.soft" | "timeout.hard":
            return _cut(change, before, after, held)
        case "paused":
            return f"{_jobs(held.waiting)}" if after.paused and held.waiting else None
        case "retention.completed.count":
            return _trimmed(held.completed, after.completed, "completed")
        case "retention.dead.count":
            return _trimmed(held.dead, after.dead, "dead")
    return _orphans(after, held, change.job) if asks_for_names(change) else None


# --- jobs that nobody runs any more -----------------------------------------------------------------------


def _left_behind(held: Facts) -> str | None:
    counts = {"delayed": held.delayed, "dead": held.dead}
    if not held.waiting and not any(counts.values()):
        return None
    more = "".join(f", {count:,} {state}" for state, count in counts.items() if count)
    return (
        f"{_jobs(held.waiting)} here{more}, and stay in the broker; status lists them, "
        "purge or putting it back decides"
    )


def _orphans(after: QueuePolicy, held: Facts, job: str | None) -> str | None:
    """Waiting jobs whose name the queue does not know any more."""
    count = sum(1 for name in held.names if job in (None, name) and after.job(name) is None)
    if not count:
        return None
    most = "at least " if len(held.names) >= LOOKED_AT else ""
    which = "that waits or is delayed" if count == 1 else "that wait or are delayed"
    return f"{most}{count:,} {which} would die of UnknownJob"


def _trimmed(kept: int, after: Retention, state: str) -> str | None:
    gone = 0 if after.count is None else kept - after.count
    return f"{gone:,} of {kept:,} {state} would be deleted" if gone > 0 else None


def _jobs(count: int) -> str:
    return f"{count:,} job{'s' * (count != 1)} wait{'s' * (count == 1)}"


# --- how long the backlog lasts ---------------------------------------------------------------------------


def slots(plan: Plan, queue: str, hosts: int) -> int:
    """How many jobs of the queue can run at once over all hosts."""
    policy, pool = plan.queues[queue], next(pool for pool in plan.pools.values() if queue in pool.queues)
    at_once = policy.concurrency * pool.processes * hosts
    return at_once if policy.max_active is None else min(at_once, policy.max_active)


def _drain(held: Facts, before: int, after: int) -> str | None:
    usual = mean(held.run)
    if not held.waiting or before == after:
        return None
    if usual is None or held.paused:
        return _jobs(held.waiting) + (", and the queue is paused" if held.paused else "")
    was, comes = (about(held.waiting * usual / count) for count in (before, after))
    return f"{_jobs(held.waiting)}: drained in {was} before, {comes} after"


def about(ms: float) -> str:
    """An estimate for people: to the second, above a minute to about a hundredth."""
    if ms < 1_000:
        return "under 1s"
    unit = next(
        unit for limit, unit in ((120_000, 1_000), (7_200_000, 60_000), (2**63, 3_600_000)) if ms < limit
    )
    return f"about {words(round(ms / unit) * unit)}"


# --- attempts that a new limit would end ------------------------------------------------------------------


def _cut(change: Change, before: QueuePolicy, after: QueuePolicy, held: Facts) -> str | None:
    """How many of the attempts that went well a lower limit would have ended."""
    kind = "soft" if change.leaf.endswith("soft") else "hard"
    runs = [
        (ms, limit)
        for name, ms in held.runs
        if change.job in (None, name) and (limit := _lower(before, after, name, kind)) is not None
    ]
    what = "ended" if kind == "hard" else "interrupted"
    if len(runs) < FEW_RUNS and change.job is None and sum(held.run.values()) > len(runs):
        return _by_histogram(before, after, held, kind, what)
    if not runs:
        return None
    over = sum(1 for ms, limit in runs if ms > limit)
    return f"it would have {what} {over or 'none'} of the last {len(runs):,} runs"


def _by_histogram(before: QueuePolicy, after: QueuePolicy, held: Facts, kind: str, what: str) -> str | None:
    limits = {_lower(before, after, name, kind) for name in ("", *after.jobs)} - {None}
    if not limits:
        return None
    share, count = share_above(held.run, min(filter(None, limits))), sum(held.run.values())
    return (
        f"it would have {what} {f'about {share:.1%}' if share >= 0.000_5 else 'hardly any'} of {count:,} runs"
    )


def _lower(before: QueuePolicy, after: QueuePolicy, name: str, kind: str) -> int | None:
    """The new limit of a job name in ms, when it is lower than before."""
    old, new = before.job(name), after.job(name)
    if old is None or new is None:
        return None
    was, comes = getattr(old.timeout, kind), getattr(new.timeout, kind)
    return comes if comes is not None and (was is None or comes < was) else None
