"""What differs between two plans, in the words of the file, and how each difference reaches what runs. Pure.

A change is hot (running workers take it over between two jobs), rolling (the pool's processes are replaced one at
a time), or needs a restart of the supervisor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from pipeline.plan import Plan, PoolPlan, RecyclePlan
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.units import size_words, words

Class = Literal["hot", "rolling", "restart"]
Kind = Literal["added", "removed", "changed"]
Leaves = dict[str, Any]
ROLLING = frozenset(
    (
        "handler",
        "executor",
        "pool",
        "recycle.max_jobs",
        "recycle.max_memory",
        "recycle.max_age",
        "setup",
        "lease",
    )
)
NOT_HERE = "none"
"""What a job says that does not have what its queue has."""
EVERY_WORKER = ("setup", "supervisor.lease")


class Change(Struct, frozen=True):
    """One difference. `from_` is None for what is added, `to` for what is removed.

    `queue`, `job` and `pool` say whose value it is, and `leaf` which: "timeout.hard"; "" when a queue or job as a whole
    comes or goes. Names may hold dots, so a path tells less.
    """

    path: str
    kind: Kind
    from_: Any
    to: Any
    change_class: Class
    queue: str | None = None
    job: str | None = None
    pool: str | None = None
    leaf: str = ""

    def __str__(self) -> str:
        if self.kind == "changed":
            return f"~ {self.path}  {shown(self.from_)} -> {shown(self.to)}  ({self.change_class})"
        return f"{'+' if self.kind == 'added' else '-'} {self.path}  ({self.change_class})"


def shown(value: Any) -> str:
    """A value for people."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def diff(old: Plan, new: Plan) -> tuple[Change, ...]:
    """Every difference, in the order of the file. A queue or a job name that comes or goes is one change."""
    return tuple(_differences(old, new))


def restart_required(changes: tuple[Change, ...]) -> bool:
    """Whether a running supervisor cannot make these changes."""
    return any(change.change_class == "restart" for change in changes)


def rolling_pools(old: Plan, new: Plan) -> set[str]:
    """The pools that are in both plans and whose processes must be replaced."""
    common = old.pools.keys() & new.pools.keys()
    changes = [change for change in diff(old, new) if change.change_class == "rolling"]
    if any(change.path in EVERY_WORKER for change in changes):
        return set(common)
    queues = {change.queue for change in changes}
    return {
        name
        for name in common
        if old.pools[name].queues != new.pools[name].queues
        or old.pools[name].recycle != new.pools[name].recycle
        or queues.intersection(new.pools[name].queues)
    }


def _differences(old: Plan, new: Plan) -> Iterator[Change]:
    yield from _compare(_top(old), _top(new), "")
    pools = {**_shared(new), **_shared(old)}
    for name in pools:
        before, after = (_pool(one[name]) if name in one else {} for one in (_shared(old), _shared(new)))
        yield from _compare(before, after, f"pools.{name}", pool=name)
    for name in [*new.queues, *(name for name in old.queues if name not in new.queues)]:
        path = f"queues.{name}"
        if name not in old.queues or name not in new.queues:
            yield _came_or_went(path, name in new.queues, "hot", name)
            continue
        yield from _compare(_queue(old, name), _queue(new, name), path, queue=name)
        yield from _jobs(old.queues[name], new.queues[name], path)


def _jobs(old: QueuePolicy, new: QueuePolicy, path: str) -> Iterator[Change]:
    for name in [*new.jobs, *(name for name in old.jobs if name not in new.jobs)]:
        here = f"{path}.jobs.{name}"
        if name not in old.jobs or name not in new.jobs:
            yield _came_or_went(here, name in new.jobs, "rolling", old.name, name)
        else:
            yield from _compare(_own(old, name), _own(new, name), here, queue=old.name, job=name)


def _came_or_went(
    path: str,
    came: bool,  # noqa: FBT001
    change_class: Class,
    queue: str,
    job: str | None = None,
) -> Change:
    return Change(path, "added" if came else "removed", None, None, change_class, queue, job)


def _compare(old: Leaves, new: Leaves, path: str, **whose: str) -> Iterator[Change]:
    for leaf in [*new, *(leaf for leaf in old if leaf not in new)]:
        before, after = old.get(leaf), new.get(leaf)
        if before != after:
            where = f"{path}.{leaf}" if path else leaf
            values = _hidden(leaf, before), _hidden(leaf, after)
            yield Change(where, "changed", *values, class_of(where), **whose, leaf=leaf)


def _hidden(leaf: str, value: Any) -> Any:
    """An address may hold a password, and a schema is long."""
    if value is None or leaf not in ("broker.url", "schema"):
        return value
    return "another one" if leaf == "schema" else str(value).rpartition("@")[2]


def class_of(path: str) -> Class:
    """How a change of the value at `path` reaches what runs."""
    if path == "name" or path.startswith("broker."):
        return "restart"
    steps = path.split(".")
    return "rolling" if steps[-1] in ROLLING or ".".join(steps[-2:]) in ROLLING else "hot"


# --- a plan as the values of a file ----------------------------------------------------------------------


def _top(plan: Plan) -> Leaves:
    own = plan.supervisor
    return {
        "name": plan.name,
        "broker.url": plan.broker.url,
        "broker.durability": plan.broker.durability,
        "broker.allow_eviction": plan.broker.allow_eviction,
        "supervisor.stop_timeout": words(own.stop_timeout),
        "supervisor.lease": words(own.lease),
        "supervisor.import_timeout": words(own.import_timeout),
        "supervisor.restart.delay": words(own.restart.delay),
        "supervisor.restart.max": words(own.restart.max),
        "supervisor.restart.give_up_after": own.restart.give_up_after,
        "supervisor.reload.watch": own.reload.watch,
        "supervisor.reload.interval": words(own.reload.interval),
        "setup": plan.setup,
    }


def _shared(plan: Plan) -> dict[str, PoolPlan]:
    return {name: pool for name, pool in plan.pools.items() if _is_shared(name, pool)}


def _is_shared(name: str, pool: PoolPlan) -> bool:
    return pool.queues != (name,)


def _pool(pool: PoolPlan) -> Leaves:
    return {"processes": pool.processes, **_recycle(pool.recycle)}


def _recycle(recycle: RecyclePlan) -> Leaves:
    return {
        "recycle.max_jobs": recycle.max_jobs,
        "recycle.max_memory": None if recycle.max_memory is None else size_words(recycle.max_memory),
        "recycle.max_age": _time(recycle.max_age),
    }


def _queue(plan: Plan, name: str) -> Leaves:
    policy = plan.queues[name]
    home = next(pool for pool, one in plan.pools.items() if name in one.queues)
    shared = _is_shared(home, plan.pools[home])
    return {
        **({"pool": home} if shared else _pool(plan.pools[home])),
        "concurrency": policy.concurrency,
        "max_active": policy.max_active,
        "executor": policy.executor,
        "paused": policy.paused,
        "max_crashes": policy.max_crashes,
        "max_payload": size_words(policy.max_payload),
        "ids.keep": words(policy.ids_keep),
        "retention.completed.count": policy.completed.count,
        "retention.completed.age": _time(policy.completed.age),
        "retention.dead.count": policy.dead.count,
        "retention.dead.age": _time(policy.dead.age),
        **_common(policy),
    }


def _common(policy: QueuePolicy) -> Leaves:
    """What holds for every job name of a queue: what its jobs only repeat is said once."""
    if policy.others is not None:
        return _job(policy.others)
    jobs = [_job(job) for job in policy.jobs.values()]
    return {
        leaf: value
        for leaf, value in (jobs[0] if jobs else {}).items()
        if leaf not in ("handler", "schema") and all(job.get(leaf) == value for job in jobs)
    }


def _own(policy: QueuePolicy, name: str) -> Leaves:
    """What one job name says besides its queue."""
    common, own = _common(policy), _job(policy.jobs[name])
    return {
        leaf: own.get(leaf, NOT_HERE)
        for leaf in [*own, *(leaf for leaf in common if leaf not in own)]
        if leaf not in common or leaf not in own or common[leaf] != own[leaf]
    }


def _job(job: JobPolicy) -> Leaves:
    retry, limit = job.retry, job.timeout
    leaves: Leaves = {"handler": job.handler, "priority": job.priority, "schema": job.schema}
    if limit.soft is None:
        leaves["timeout"] = _time(limit.hard)
    else:
        leaves |= {"timeout.soft": _time(limit.soft), "timeout.hard": _time(limit.hard)}
    leaves["retry.attempts"] = retry.attempts
    if retry.backoff is not None:
        leaves |= {
            "retry.backoff.type": retry.backoff.type,
            "retry.backoff.delay": words(retry.backoff.delay),
            "retry.backoff.max": _time(retry.backoff.max),
            "retry.backoff.jitter": retry.backoff.jitter,
            "retry.backoff.delays": [words(delay) for delay in retry.backoff.delays] or None,
        }
    leaves |= {"retry.retry_on": _names(retry.retry_on), "retry.discard_on": _names(retry.discard_on or None)}
    if job.deduplication is not None:
        rule = job.deduplication
        leaves |= {
            "deduplication.key": rule.key,
            "deduplication.mode": rule.mode,
            "deduplication.ttl": _time(rule.ttl),
        }
    return leaves


def _names(classes: tuple[str, ...] | None) -> list[str] | None:
    return None if classes is None else list(classes)


def _time(ms: int | None) -> str | None:
    return None if ms is None else words(ms)
