"""What a person should know of a project, a line each: what is not well, and what is not as the file says. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from pipeline.status.figures import clock
from pipeline.status.queues import Override
from pipeline.status.snapshot import Snapshot
from pipeline.status.supervisors import SupervisorState

POOL_STYLES = {
    "running": "green",
    "starting": "cyan",
    "stopping": "cyan",
    "backoff": "yellow",
    "fatal": "bold red",
}
SUPERVISOR_STYLES = {"ready": "green", "stopping": "cyan", "behind": "yellow", "stale": "red"}
Parts = tuple[str | tuple[str, str], ...]
"""Text, and text with how it looks on a terminal."""
NUMBERS = {2: "two", 3: "three", 4: "four"}


def said(*parts: str | tuple[str, str]) -> Parts:
    """One line."""
    return parts


def notices(snapshot: Snapshot) -> Iterator[Parts]:
    """Every line there is; none for a project that is well, and as its file says."""
    if snapshot.stale is not None:
        yield said((f"! STALE: {snapshot.stale}", "bold red"))
    if snapshot.broker.reason:
        yield said(("! broker: " + snapshot.broker.reason, "red"))
    yield from _supervisors(snapshot)
    yield from _versions(snapshot)
    for name, queue in snapshot.queues.items():
        for override in queue.overrides if queue.in_file else ():
            yield from _drift(name, override, snapshot.at)
        if queue.held_until_at is not None:
            until = clock(queue.held_until_at, snapshot.at)
            yield said(("! ", "yellow"), f"{name} is on hold until {until}: a handler raised RateLimited")
    for name, schedule in snapshot.schedules.items():
        if schedule.paused:
            yield said(("! ", "yellow"), f"schedule {name} is paused, by {schedule.paused_by}")


def _supervisors(snapshot: Snapshot) -> Iterator[Parts]:
    live = snapshot.live
    for one in snapshot.supervisors:
        if one not in live:
            yield said("! ", place(one), " is ", ("silent", "red"), _because(one.reason))
            continue
        if one.state != "ready" and (one.state, one.reason) != ("stale", snapshot.stale):
            state = (one.state, SUPERVISOR_STYLES[one.state])
            yield said("! ", place(one), " is ", state, _because(one.reason))
        yield from _pools(one)
        for name, reason in one.alerts.items():
            yield said("! alert ", name, (" does not arrive", "red"), f": {reason}")


def _pools(one: SupervisorState) -> Iterator[Parts]:
    # A pool of several queues is listed with each of them.
    for name, pool in {pool.pool or pool.queue: pool for pool in one.pools}.items():
        if pool.state not in ("running", "stopping"):
            state = (pool.state.upper() if pool.state == "fatal" else pool.state, POOL_STYLES[pool.state])
            yield said("! pool ", name, " is ", state, _because(pool.reason))
        elif pool.state == "running" and pool.reason:
            yield said(("! ", "yellow"), f"pool {name}: {pool.reason}")


def _versions(snapshot: Snapshot) -> Iterator[Parts]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for worker in (worker for one in snapshot.live for worker in one.workers):
        if worker.code is not None:
            found[worker.name.rpartition(".")[0]][worker.code] += 1
    for pool, codes in found.items():
        if len(codes) > 1:
            (first, count), *others = codes.most_common()
            told = [f"{first} ({count} worker{'s' if count > 1 else ''})", *(f"{c} ({n})" for c, n in others)]
            number = NUMBERS.get(len(codes), len(codes))
            yield said(("! ", "yellow"), f"{pool} runs {number} versions of the code: {', '.join(told)}")


def _drift(queue: str, override: Override, now: int) -> Iterator[Parts]:
    by = f", by {override.by}" if override.by else ""
    until = f" until {clock(override.until_at, now)}" if override.until_at is not None else ""
    if override.field == "processes":
        if override.value != override.file:
            told = f"{queue}: processes {override.value} instead of {override.file}"
            yield said(("! ", "yellow"), told, by, until)
    elif override.value:
        yield said(("! ", "yellow"), f"{queue} is paused", by, until)
    else:
        yield said(("! ", "yellow"), f"{queue} runs, and the file pauses it")


def place(one: SupervisorState) -> str:
    """Where a supervisor is."""
    return f"supervisor {one.host}:{one.pid}"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
