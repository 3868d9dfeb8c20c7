"""One frozen picture of a project: what runs, and what every queue holds. The terminal and the JSON only draw it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.plan import Plan
from pipeline.status import supervisors
from pipeline.status.broker import BrokerState, look_at_broker
from pipeline.status.flows import FlowFigures, look_at_flows
from pipeline.status.histogram import buckets_of
from pipeline.status.queues import QueueState, queue_state
from pipeline.status.schedules import ScheduleState, look_at_schedules
from pipeline.status.supervisors import SupervisorState
from pipeline.store import layout, reader
from pipeline.store.call import run
from pipeline.store.reader import Reader
from pipeline.store.wire import Connection


class Snapshot(Struct, frozen=True):
    """The picture at `at` (ms since 1970, the server's clock).

    `in_sync`: every live supervisor runs the file as it is now; None when there is none. `file_error` is the first
    mistake in the file on disk. `run` and `wait` hold each queue's histogram.
    """

    name: str
    generation: int | None
    in_sync: bool | None
    broker: BrokerState
    supervisors: list[SupervisorState]
    queues: dict[str, QueueState]
    file_error: str | None = None
    at: int = 0
    run: dict[str, dict[int, int]] = {}
    wait: dict[str, dict[int, int]] = {}
    schedules: dict[str, ScheduleState] = {}
    flows: dict[str, FlowFigures] = {}

    def as_json(self) -> dict[str, Any]:
        """What `status --json` prints."""
        told = msgspec.to_builtins(self)
        for internal in ("at", "run", "wait"):
            del told[internal]
        for supervisor in told["supervisors"]:
            del supervisor["until"]
        return dict(told)

    @property
    def live(self) -> list[SupervisorState]:
        """The supervisors that run."""
        return [one for one in self.supervisors if one.until >= self.at]

    @property
    def stale(self) -> str | None:
        """Why the file on disk is not what runs and cannot be applied; None when it can."""
        reasons = [one.reason or "" for one in self.live if one.state == "stale"]
        return reasons[0] if reasons else self.file_error if self.live else None


def nothing_runs(plan: Plan) -> Snapshot:
    """The picture of a project whose embedded broker does not run: what it keeps cannot be seen."""
    broker = BrokerState("embedded", reason="the embedded broker does not run")
    return Snapshot(plan.name, None, None, broker, [], {})


async def take(connection: Connection, plan: Plan, file_error: str | None = None) -> Snapshot:
    """Ask for everything, in a few round trips. `plan` is what the file says, or what runs when the file has mistakes:
    then `file_error` tells the first one. Raises BrokerError, also for a layout that this version does not know."""
    layout.check(await run(connection, layout.of(plan.name)), plan.name)
    names, generation, records, time, broker, schedules = await asyncio.gather(
        run(connection, reader.queue_names(plan.name)),
        run(connection, reader.generation(plan.name)),
        run(connection, reader.supervisors(plan.name)),
        run(connection, reader.server_time()),
        look_at_broker(connection, plan.broker),
        look_at_schedules(connection, plan),
    )
    queues = [*plan.queues, *(name for name in names if name not in plan.queues)]
    counts = await asyncio.gather(*(run(connection, Reader(plan.name, name).counts()) for name in queues))
    found = dict(zip(queues, counts, strict=True))
    snapshot = Snapshot(
        plan.name,
        generation or None,
        None,
        broker,
        supervisors.read(records, time),
        {name: queue_state(one, plan, name) for name, one in found.items()},
        file_error,
        time,
        {name: buckets_of(one.stats, "run:") for name, one in found.items()},
        {name: buckets_of(one.stats, "wait:") for name, one in found.items()},
        schedules,
        await look_at_flows(connection, plan),
    )
    return msgspec.structs.replace(snapshot, in_sync=_in_sync(snapshot, plan))


def _in_sync(snapshot: Snapshot, plan: Plan) -> bool | None:
    if not snapshot.live:
        return None
    return snapshot.stale is None and all(one.hash == plan.hash for one in snapshot.live)
