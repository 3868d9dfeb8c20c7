"""How many flows of each name go on, and how they ended."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from pipeline.plan import Plan
from pipeline.store.call import run
from pipeline.store.flows import FlowStore, flow_names
from pipeline.store.wire import Connection


class FlowFigures(Struct, frozen=True):
    """The flows of one name: those that have not ended, and totals that only rise."""

    open: int
    started_total: int
    completed_total: int
    failed_total: int
    cancelled_total: int
    retried_total: int


async def look_at_flows(connection: Connection, plan: Plan) -> dict[str, FlowFigures]:
    """The figures of every flow that was ever published, and of those in the file. Raises BrokerError."""
    published = await run(connection, flow_names(plan.name))
    names = list(dict.fromkeys([*plan.flows, *published]))
    figures = await asyncio.gather(*(_look(connection, plan.name, name) for name in names))
    return dict(zip(names, figures, strict=True))


async def _look(connection: Connection, project: str, name: str) -> FlowFigures:
    store = FlowStore(project, name)
    open, totals = await asyncio.gather(run(connection, store.open_count()), run(connection, store.totals()))
    ends = ("started", "completed", "failed", "cancelled", "retried")
    return FlowFigures(open, *(totals.get(name, 0) for name in ends))
