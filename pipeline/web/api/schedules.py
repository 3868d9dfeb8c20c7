"""Schedules: when they fire, and a person's hands on them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from msgspec import Struct

from pipeline.plan import SchedulePlan
from pipeline.schedule import jittered, ticks
from pipeline.status.schedules import ScheduleState, halting, look_at_schedules, one_of
from pipeline.store.call import run
from pipeline.store.reader import server_time
from pipeline.web.api.common import BASE, builtins, by, unseen
from pipeline.web.api.enqueue import Enqueued, enqueued
from pipeline.web.redact import Found, hide
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

UPCOMING = 5


class ScheduleLine(Struct, frozen=True, kw_only=True):
    """A schedule of the file. Times are ms since 1970; `upcoming` are the next ones."""

    name: str
    queue: str
    job: str
    when: str
    applied: bool
    next_at: int | None
    upcoming: list[int]
    last_at: int | None
    last_job: str | None
    last_state: str | None
    fired_total: int
    skipped_total: int
    missed_total: int
    paused: bool
    paused_by: str | None
    paused_at: int | None
    overlap: str
    catch_up: str
    data: Any


class ScheduleList(Struct, frozen=True):
    """The schedules of the file."""

    schedules: list[ScheduleLine]


class Halted(Struct, frozen=True):
    """Whether the schedule stands still, and whether that is new."""

    name: str
    paused: bool
    changed: bool


async def show(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """Every schedule, with its next and last runs."""
    plan = shop.plan
    found = await look_at_schedules(shop.connection, plan)
    lines = [_line(shop, name, state, plan.schedules[name]) for name, state in found.items()]
    return as_json(ScheduleList(lines))


def _line(shop: Shop, name: str, state: ScheduleState, plan: SchedulePlan) -> ScheduleLine:
    coming: list[int] = []
    if state.next_at is not None:
        now = shop.clock()
        coming = [jittered(name, plan, tick) for tick in islice(ticks(plan, now), UPCOMING)]
    data = hide(plan.data, shop.desk.veils.of(plan.queue).below.get("data", ()), "data", Found())
    return ScheduleLine(
        name=name, upcoming=coming, overlap=plan.overlap, catch_up=plan.catch_up, data=data, **builtins(state)
    )


async def fire(shop: Shop, request: Request) -> Response:
    """The job of a schedule, now."""
    name = request.params["name"]
    plan = one_of(shop.plan, name)
    now = await run(shop.connection, server_time())
    id = f"{name}:run:{now}"
    found = Found()
    hide(plan.data, shop.desk.veils.of(plan.queue).below.get("data", ()), "data", found)
    with unseen(found.mask()):
        accepted = await shop.client.enqueue(plan.queue, plan.job, plan.data, id=id)
    return enqueued(plan.queue, accepted)


async def pause(shop: Shop, request: Request) -> Response:
    """Let a schedule stand still."""
    return await _halt(shop, request, paused=True)


async def resume(shop: Shop, request: Request) -> Response:
    """Let a schedule go on, from now."""
    return await _halt(shop, request, paused=False)


async def _halt(shop: Shop, request: Request, *, paused: bool) -> Response:
    name = request.params["name"]
    one_of(shop.plan, name)
    now = await run(shop.connection, server_time())
    changed = await run(shop.connection, halting(shop.plan, name, by(request), now, paused=paused))
    return as_json(Halted(name, paused, changed))


_ONE = f"{BASE}/schedules/{{name}}"
ROUTES = (
    Route("GET", f"{BASE}/schedules", "viewer", show, "Every schedule, with its next and last runs.", answer=ScheduleList),
    Route("POST", f"{_ONE}/run", "operator", fire, "The job of a schedule, now.", answer=Enqueued),
    Route("POST", f"{_ONE}/pause", "operator", pause, "Let a schedule stand still.", answer=Halted),
    Route("POST", f"{_ONE}/resume", "operator", resume, "Let a schedule go on.", answer=Halted),
)  # fmt: skip
