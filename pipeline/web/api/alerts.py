"""Alerts of the file: what for, what was told, and what does not arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from pipeline.plan import AlertPlan, Plan
from pipeline.status import supervisors
from pipeline.store import keys, reader
from pipeline.store.call import run
from pipeline.web.api.common import BASE
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop


class Told(Struct, frozen=True):
    """What an alert last told of a queue."""

    queue: str
    what: str
    at: int


class AlertLine(Struct, frozen=True, kw_only=True):
    """An alert. Its address is not shown; `problem` says why it does not arrive."""

    name: str
    kind: Literal["json", "slack", "command"]
    events: list[str]
    throttle_ms: int
    queues: list[str]
    problem: str | None
    told: list[Told]


class AlertList(Struct, frozen=True):
    """The alerts of the file."""

    alerts: list[AlertLine]


async def show(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """Every alert."""
    plan, connection = shop.plan, shop.connection
    time = await run(connection, reader.server_time())
    records = await run(connection, reader.supervisors(plan.name))
    live = [one for one in supervisors.read(records, time) if one.until >= time]
    problems = {name: reason for one in live for name, reason in one.alerts.items()}
    queues = {name: list(_queues(plan, name)) for name in plan.alerts}
    asked = list(dict.fromkeys(queue for some in queues.values() for queue in some))
    replies = await asyncio.gather(
        *(connection.call(("HGETALL", keys.alerts(keys.base(plan.name, queue)))) for queue in asked)
    )
    told = {queue: list(_told(queue, reply)) for queue, reply in zip(asked, replies, strict=True)}
    lines = [
        _line(
            name,
            alert,
            queues[name],
            problems.get(name),
            [one for queue in queues[name] for one in told[queue]],
        )
        for name, alert in plan.alerts.items()
    ]
    return as_json(AlertList(lines))


def _line(name: str, alert: AlertPlan, queues: list[str], problem: str | None, told: list[Told]) -> AlertLine:
    return AlertLine(
        name=name,
        kind="command" if alert.command else alert.format,
        events=list(alert.events),
        throttle_ms=alert.throttle,
        queues=queues,
        problem=problem,
        told=sorted(told, key=lambda one: -one.at),
    )


def _queues(plan: Plan, alert: str) -> Iterator[str]:
    """The queues that tell it something."""
    for name, policy in plan.queues.items():
        limit = policy.wait_limit
        if policy.dead_letter.alert == alert or (limit is not None and limit.alert == alert):
            yield name


def _told(queue: str, reply: list[bytes]) -> Iterator[Told]:
    for what, text in zip(reply[::2], reply[1::2], strict=True):
        # What an alert found there at first was not told to anybody.
        if at := int(text.split()[1]):
            yield Told(queue, what.decode(), at)


ROUTES = (Route("GET", f"{BASE}/alerts", "viewer", show, "The alerts of the file.", answer=AlertList),)
