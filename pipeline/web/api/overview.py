"""The whole project at a glance: what `GET overview` answers and the stream sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from pipeline.status.broker import BrokerState
from pipeline.status.failures import Failure
from pipeline.status.notices import Parts, notices
from pipeline.status.queues import Override, QueueState
from pipeline.status.snapshot import Snapshot
from pipeline.units import words
from pipeline.web.api.common import BASE, short
from pipeline.web.look import Picture
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

Health = Literal["ok", "paused", "held", "stopped", "failing", "behind", "removed"]
WAITS_TOO_LONG_MS = 60_000
TEN_MINUTES = 10
FEWEST_ATTEMPTS = 10


class Notice(Struct, frozen=True):
    """Something that a person should know."""

    level: Literal["error", "warning", "info"]
    text: str


class Totals(Struct, frozen=True, kw_only=True):
    """All queues together."""

    waiting: int
    delayed: int
    active: int
    dead: int
    completed: int
    cancelled: int
    in_per_second: float
    out_per_second: float


class QueueLine(Struct, frozen=True, kw_only=True):
    """A queue. `run_ms` and `wait_ms` are [p50, p99] lately; `spark` are the last 60 minutes, the newest last."""

    name: str
    in_file: bool
    removed: bool
    paused: bool
    paused_by: str | None
    held_until_at: int | None
    waiting: int
    delayed: int
    active: int
    blocked: int
    completed: int
    dead: int
    cancelled: int
    workers: int
    oldest_waiting_ms: int | None
    in_per_second: float
    out_per_second: float
    run_ms: tuple[float, float] | None
    wait_ms: tuple[float, float] | None
    spark: list[int]
    failed_spark: list[int]
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
    lanes: dict[str, int]
    overrides: list[Override]
    health: Health
    health_reason: str | None


class SchedulesLine(Struct, frozen=True):
    """How many schedules there are, and which one fires next."""

    total: int
    paused: int
    next_at: int | None
    next: str | None


class FlowsLine(Struct, frozen=True):
    """How many flows go on, and how many failed so far."""

    open: int
    failed_total: int


class SupervisorsLine(Struct, frozen=True):
    """How many supervisors live, and how many workers they have."""

    live: int
    workers: int


class Overview(Struct, frozen=True, kw_only=True):
    """The project at `at`, ms since 1970. `problem`: the broker is away, and all else is what was known last."""

    name: str
    at: int
    generation: int | None
    in_sync: bool | None
    stale: str | None
    profile: str | None
    broker: BrokerState
    problem: str | None
    notices: list[Notice]
    throughput: list[float]
    totals: Totals
    queues: list[QueueLine]
    schedules: SchedulesLine
    flows: FlowsLine
    supervisors: SupervisorsLine
    failures: list[Failure]


async def show(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """The whole project at a glance."""
    return as_json(overview(await shop.desk.look.newest(), shop.plan.profile))


def overview(picture: Picture, profile: str | None) -> Overview:
    """What a picture shows."""
    snapshot = picture.snapshot
    queues = [queue_line(picture, name) for name in snapshot.queues]
    return Overview(
        name=snapshot.name,
        at=snapshot.at,
        generation=snapshot.generation,
        in_sync=snapshot.in_sync,
        stale=snapshot.stale,
        profile=profile,
        broker=snapshot.broker,
        problem=picture.problem,
        notices=[_notice(parts) for parts in notices(snapshot)],
        throughput=[round(value, 1) for value in picture.history.throughput()],
        totals=_totals(queues),
        queues=queues,
        schedules=_schedules(snapshot),
        flows=FlowsLine(
            sum(one.open for one in snapshot.flows.values()),
            sum(one.failed_total for one in snapshot.flows.values()),
        ),
        supervisors=SupervisorsLine(len(snapshot.live), sum(len(one.workers) for one in snapshot.live)),
        failures=[_short(failure) for failure in picture.failures],
    )


def queue_line(picture: Picture, name: str) -> QueueLine:
    """A queue of the picture; one that came since has nothing yet."""
    state = picture.snapshot.queues[name]
    pace = picture.history.pace(name)
    minutes = [minute.happened for minute in picture.minutes.get(name, [])]
    failed = [minute.failed_attempts for minute in minutes]
    done = [minute.completed for minute in minutes]
    health, reason = next(_health(picture, name, done, failed))
    own = {
        field: getattr(state, field)
        for field in QueueState.__struct_fields__
        if field in QueueLine.__struct_fields__
    }
    own |= {"run_ms": pace.run_ms, "wait_ms": pace.wait_ms}
    return QueueLine(
        name=name,
        in_per_second=round(pace.incoming, 2),
        out_per_second=round(pace.outgoing, 2),
        spark=done,
        failed_spark=failed,
        health=health,
        health_reason=reason,
        **own,
    )


def _health(
    picture: Picture, name: str, done: list[int], failed: list[int]
) -> Iterator[tuple[Health, str | None]]:
    """How a queue is, the worst first."""
    snapshot, state = picture.snapshot, picture.snapshot.queues[name]
    if state.removed or not state.in_file:
        yield "removed", f"it is not in the file, and {state.waiting:,} jobs wait"
    for pool in (pool for one in snapshot.live for pool in one.pools if pool.queue == name):
        if pool.state in ("fatal", "backoff"):
            yield "failing", f"its workers cannot start: {pool.reason or pool.state}"
    if state.paused:
        yield "paused", f"it is paused, by {state.paused_by}"
    if name in picture.stores:
        yield "ok", None
    if not state.workers and state.waiting:
        yield "stopped", f"{state.waiting:,} jobs wait, and no worker serves it"
    lately, bad = sum(done[-TEN_MINUTES:]) + sum(failed[-TEN_MINUTES:]), sum(failed[-TEN_MINUTES:])
    if lately >= FEWEST_ATTEMPTS and bad * 2 > lately:
        yield "failing", f"{bad:,} of {lately:,} attempts failed in ten minutes"
    if state.held_until_at is not None:
        yield "held", "a handler raised RateLimited: nothing starts for a while"
    oldest = state.oldest_waiting_ms or 0
    if oldest > WAITS_TOO_LONG_MS:
        yield "behind", f"a job has waited for {words(oldest // 1000 * 1000)}"
    yield "ok", None


def _notice(parts: Parts) -> Notice:
    text = "".join(part if isinstance(part, str) else part[0] for part in parts)
    bad = any("red" in part[1] for part in parts if not isinstance(part, str))
    return Notice("error" if bad else "warning", short(text.removeprefix("! ")))


def _short(failure: Failure) -> Failure:
    return Failure(
        failure.at,
        failure.queue,
        failure.id,
        short(failure.name),
        failure.attempt,
        failure.attempts,
        failure.dead,
        short(failure.error),
    )


def _totals(queues: list[QueueLine]) -> Totals:
    def total(field: str) -> int:
        return sum(getattr(queue, field) for queue in queues)

    return Totals(
        waiting=total("waiting"),
        delayed=total("delayed"),
        active=total("active"),
        dead=total("dead"),
        completed=total("completed"),
        cancelled=total("cancelled"),
        in_per_second=round(float(total("in_per_second")), 2),
        out_per_second=round(float(total("out_per_second")), 2),
    )


def _schedules(snapshot: Snapshot) -> SchedulesLine:
    found = snapshot.schedules
    due = [(one.next_at, name) for name, one in found.items() if one.next_at is not None]
    first = min(due, default=(None, None))
    return SchedulesLine(len(found), sum(one.paused for one in found.values()), *first)


ROUTES = (
    Route("GET", f"{BASE}/overview", "viewer", show, "The whole project at a glance.", answer=Overview),
)
