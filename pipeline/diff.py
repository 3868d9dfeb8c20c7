"""What differs between two plans, in the words of the file, and how each difference reaches what runs. Pure.

A change is hot (running workers take it over between two jobs), rolling (the pool's processes are replaced one at
a time), or needs a restart of the supervisor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct

from pipeline.flow import FlowPolicy
from pipeline.leaves import (
    Leaves,
    of_alert,
    of_flow,
    of_http,
    of_job,
    of_pool,
    of_project,
    of_queue,
    of_schedule,
    of_step,
    of_webhook,
)
from pipeline.plan import AlertPlan, HttpPlan, Plan, PoolPlan, SchedulePlan
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.webhook import WebhookPlan

Class = Literal["hot", "rolling", "restart"]
Kind = Literal["added", "removed", "changed"]
Pairs = dict[str, tuple[Any, Any]]
"""What was and what is, by the path of a value that differs."""

RESTART = frozenset(("name", "version", "broker", "http"))
ROLLING = frozenset(
    (
        "setup",
        "lease",
        "handler",
        "around",
        "jobs",
        "executor",
        "batch",
        "pool",
        "recycle",
        "max_jobs",
        "max_memory",
        "max_age",
    )
)
EVERY_WORKER = frozenset(("setup", "supervisor.lease"))
OF_ONE_JOB = frozenset(("handler", "schema"))
"""Said of a queue it would hold for the names that are not listed too, or makes no sense."""


class Place(Struct, frozen=True):
    """Where a value stands: below a pool, a queue or one of its job names, or else below the project."""

    path: str = ""
    queue: str | None = None
    job: str | None = None
    pool: str | None = None


class Change(Struct, frozen=True):
    """One difference. `from_` is None for what is added, `to` for what is removed.

    `queue`, `job` and `pool` tell whose it is, and `leaf` the path below them, "" when they come or go themselves:
    names may hold dots, so that a path tells less.
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
    """Every difference, in the order of the file. A queue, a job name or a shared pool that comes or goes is one
    change, and so is what changes alike for every job name of a queue."""
    return tuple(_differences(old, new))


def restart_required(changes: Iterable[Change]) -> bool:
    """Whether a running supervisor cannot make these changes."""
    return any(change.change_class == "restart" for change in changes)


def rolling_pools(changes: Iterable[Change], old: Plan, new: Plan) -> set[str]:
    """The pools that are in both plans and whose processes must be replaced for these changes from `old` to `new`."""
    common = old.pools.keys() & new.pools.keys()
    rolling = [change for change in changes if change.change_class == "rolling"]
    if any(change.path in EVERY_WORKER for change in rolling):
        return set(common)
    queues = {change.queue for change in rolling}
    return {
        name
        for name in common
        if old.pools[name].queues != new.pools[name].queues
        or old.pools[name].recycle != new.pools[name].recycle
        or queues.intersection(new.pools[name].queues)
    }


def class_of(path: str) -> Class:
    """How a change of the key at `path` reaches what runs; a name of the user's may stand in it as `*`."""
    steps = path.split(".")
    if steps[0] in RESTART:
        return "restart"
    parts = (["jobs"], ["executor"], ["batch"])
    return "rolling" if steps[-1] in ROLLING or steps[-2:-1] in parts or "lanes" in steps else "hot"


def _differences(old: Plan, new: Plan) -> Iterator[Change]:
    yield from _project(old, new)
    for name in _both(old.alerts, new.alerts):
        yield from _alert(Place(f"alerts.{name}"), old.alerts.get(name), new.alerts.get(name))
    for name in _both(old.pools, new.pools):
        yield from _shared_pool(name, old.pools.get(name), new.pools.get(name))
    for name in _both(old.queues, new.queues):
        place = Place(f"queues.{name}", name)
        if name not in old.queues or name not in new.queues:
            yield _came_or_went(place, "hot", came=name in new.queues)
            continue
        yield from _home(_home_of(old, name), _home_of(new, name), place)
        yield from _queue(old.queues[name], new.queues[name], place)
    for name in _both(old.schedules, new.schedules):
        yield from _schedule(Place(f"schedules.{name}"), old.schedules.get(name), new.schedules.get(name))
    for name in _both(old.webhooks, new.webhooks):
        yield from _webhook(Place(f"webhooks.{name}"), old.webhooks.get(name), new.webhooks.get(name))
    for name in _both(old.flows, new.flows):
        yield from _flow(name, old.flows.get(name), new.flows.get(name))


def _both(old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    """The names of both, in the order of the new file; what is gone comes last."""
    return iter(dict.fromkeys((*new, *old)))


def _came_or_went(place: Place, change_class: Class, *, came: bool) -> Change:
    kind: Kind = "added" if came else "removed"
    return Change(place.path, kind, None, None, change_class, place.queue, place.job, place.pool)


def _pairs(old: Leaves, new: Leaves) -> Pairs:
    pairs = {leaf: (old.get(leaf), new.get(leaf)) for leaf in _both(old, new)}
    return {leaf: pair for leaf, pair in pairs.items() if pair[0] != pair[1]}


def _changes(pairs: Pairs, place: Place) -> Iterator[Change]:
    for leaf, (before, after) in pairs.items():
        path = f"{place.path}.{leaf}" if place.path else leaf
        owner = (place.queue, place.job, place.pool)
        yield Change(path, "changed", before, after, class_of(leaf), *owner, leaf)


def _schedule(place: Place, old: SchedulePlan | None, new: SchedulePlan | None) -> Iterator[Change]:
    if old is None or new is None:
        yield _came_or_went(place, "hot", came=new is not None)
    else:
        yield from _changes(_pairs(of_schedule(old), of_schedule(new)), place)


def _webhook(place: Place, old: WebhookPlan | None, new: WebhookPlan | None) -> Iterator[Change]:
    if old is None or new is None:
        yield _came_or_went(place, "hot", came=new is not None)
    else:
        yield from _changes(_described(_pairs(of_webhook(old), of_webhook(new))), place)


# --- the project ----------------------------------------------------------------------------------------


def _project(old: Plan, new: Plan) -> Iterator[Change]:
    pairs = _pairs(of_project(old), of_project(new))
    if "" in pairs.get("broker.url", ()):
        # A kept generation does not know its address, nor a file whose secret is not set here.
        del pairs["broker.url"]
    if "broker.url" in pairs:
        before, after = _address(old), _address(new)
        pairs["broker.url"] = (before, f"{after}, otherwise" if before == after else after)
    yield from _changes(pairs, Place())
    yield from _http(old.http, new.http)


def _http(old: HttpPlan | None, new: HttpPlan | None) -> Iterator[Change]:
    pairs = _pairs(of_http(old), of_http(new))
    for leaf, (before, after) in pairs.items():
        hidden = leaf.endswith(".password")
        told = (
            (before and "a hash", after and ("another one" if before else "a hash"))
            if hidden
            else (before, after)
        )
        yield Change(f"http.{leaf}", "changed", *told, "restart", leaf=leaf)


def _alert(place: Place, old: AlertPlan | None, new: AlertPlan | None) -> Iterator[Change]:
    if old is None or new is None:
        yield _came_or_went(place, "hot", came=new is not None)
    else:
        yield from _changes(_pairs(of_alert(old), of_alert(new)), place)


def _address(plan: Plan) -> str:
    """Where the broker is, without login and password."""
    url = plan.broker.url
    if any(secret in url for secret in plan.secrets):
        return "a secret"
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2].partition("?")[0]


# --- pools ----------------------------------------------------------------------------------------------


def _home_of(plan: Plan, queue: str) -> tuple[str, PoolPlan]:
    return next((name, pool) for name, pool in plan.pools.items() if queue in pool.queues)


def _is_shared(name: str, pool: PoolPlan | None) -> bool:
    """Whether a queue has to name the pool: one of its own is a part of the queue."""
    return pool is not None and pool.queues != (name,)


def _shared_pool(name: str, old: PoolPlan | None, new: PoolPlan | None) -> Iterator[Change]:
    place = Place(f"pools.{name}", pool=name)
    if old is not None and new is not None:
        if _is_shared(name, new):
            yield from _changes(_pairs(of_pool(old), of_pool(new)), place)
    elif _is_shared(name, old) or _is_shared(name, new):
        yield _came_or_went(place, "hot", came=new is not None)


def _home(old: tuple[str, PoolPlan], new: tuple[str, PoolPlan], place: Place) -> Iterator[Change]:
    """Another pool, and what a pool of its own is given."""
    before, after = (None if name == place.queue else name for name, _ in (old, new))
    yield from _changes(_pairs({"pool": before}, {"pool": after}), place)
    if not _is_shared(*new):
        yield from _changes(_pairs(of_pool(old[1]), of_pool(new[1])), place)


# --- flows ----------------------------------------------------------------------------------------------


def _flow(name: str, old: FlowPolicy | None, new: FlowPolicy | None) -> Iterator[Change]:
    """Flows that began go on as they were: a change is for those that begin later."""
    place = Place(f"flows.{name}")
    if old is None or new is None:
        yield _came_or_went(place, "hot", came=new is not None)
        return
    yield from _changes(_pairs(of_flow(old), of_flow(new)), place)
    for step in _both(old.steps, new.steps):
        here = Place(f"{place.path}.steps.{step}")
        if step not in old.steps or step not in new.steps:
            yield _came_or_went(here, "hot", came=step in new.steps)
        else:
            yield from _changes(_pairs(of_step(old.steps[step]), of_step(new.steps[step])), here)


# --- queues and their jobs ------------------------------------------------------------------------------


def _queue(old: QueuePolicy, new: QueuePolicy, place: Place) -> Iterator[Change]:
    yield from _changes(_pairs(of_queue(old), of_queue(new)), place)
    if (old.others is None) is not (new.others is None):
        yield _others(old.others, new.others, place)
    jobs = {name: _job(job, new.jobs[name]) for name, job in old.jobs.items() if name in new.jobs}
    alike = _alike(old, new, list(jobs.values()))
    yield from _changes(alike, place)
    for name in _both(old.jobs, new.jobs):
        here = Place(f"{place.path}.jobs.{name}", place.queue, name)
        if name not in jobs:
            yield _came_or_went(here, "rolling", came=name in new.jobs)
            continue
        own = {leaf: pair for leaf, pair in jobs[name].items() if alike.get(leaf) != pair}
        yield from _changes(_described(own), here)


def _others(old: JobPolicy | None, new: JobPolicy | None, place: Place) -> Change:
    """A handler for the names that are not listed comes or goes."""
    before, after = (others and others.handler for others in (old, new))
    kind: Kind = "added" if old is None else "removed"
    return Change(f"{place.path}.handler", kind, before, after, "rolling", place.queue, leaf="handler")


def _job(old: JobPolicy, new: JobPolicy) -> Pairs:
    two = old.timeout.soft is not None or new.timeout.soft is not None
    return _pairs(of_job(old, two_limits=two), of_job(new, two_limits=two))


def _alike(old: QueuePolicy, new: QueuePolicy, jobs: list[Pairs]) -> Pairs:
    """What changed for the queue: for the names that are not listed, or alike for each that is."""
    if old.others is not None and new.others is not None:
        return _job(old.others, new.others)
    first = jobs[0] if jobs else {}
    return {
        leaf: pair
        for leaf, pair in first.items()
        if leaf not in OF_ONE_JOB and all(job.get(leaf) == pair for job in jobs)
    }


def _described(pairs: Pairs) -> Pairs:
    """A schema is too long to be shown."""
    before, after = pairs.get("schema", (None, None))
    if before == after:
        return pairs
    now = "a schema" if before is None else "another one"
    told = (before if before is None else "a schema", after if after is None else now)
    return {**pairs, "schema": told}
