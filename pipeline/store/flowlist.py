"""Flows as lists, and their figures."""

from __future__ import annotations

from msgspec import Struct

from pipeline.plan import Plan
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.flows import OVER, FlowStore, flow_names

SCANNED = 5_000
"""So many of one name are looked through for a state, at most."""


class FlowLine(Struct, frozen=True):
    """A flow in a list. Times are ms since 1970."""

    id: str
    flow: str
    state: str
    started_at: int
    finished_at: int | None = None


def list_flows(
    connection: BlockingConnection, plan: Plan, name: str | None, state: str | None, limit: int
) -> list[FlowLine]:
    """The flows of one name or of all, in this state: open ones before ended ones, the newest first."""
    names = [name] if name else sorted({*plan.flows, *run_blocking(connection, flow_names(plan.name))})
    found: list[FlowLine] = []
    for ended in (False, True):
        if state is not None and (state in OVER) is not ended:
            continue
        lines = [line for one in names for line in _lines(connection, plan.name, one, ended, state, limit)]
        found += sorted(lines, key=lambda line: line.finished_at or line.started_at, reverse=True)
    return found[:limit]


def _lines(
    connection: BlockingConnection,
    project: str,
    name: str,
    ended: bool,  # noqa: FBT001
    state: str | None,
    limit: int,
) -> list[FlowLine]:
    store, lines, most = FlowStore(project, name), list[FlowLine](), limit if state is None else SCANNED
    for id in run_blocking(connection, store.newest(0, most - 1, ended=ended)):
        told = run_blocking(connection, store.values(id, ["state", "started_at", "finished_at"]))
        if told[0] is not None and (state is None or told[0].decode() == state) and len(lines) < limit:
            line = FlowLine(id, name, told[0].decode(), int(told[1] or 0), int(told[2]) if told[2] else None)
            lines.append(line)
    return lines
