"""What is measured of a project, for those who draw it over time: one look at the broker, in two round trips.

All of it is counted in the broker: so it is the same from each process of each host, and survives all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from pipeline.plan import Plan
from pipeline.status import supervisors
from pipeline.status.flows import FlowFigures, look_at_flows
from pipeline.status.supervisors import SupervisorState
from pipeline.store import names, reader, tally
from pipeline.store.call import run
from pipeline.store.reader import Counts, Reader
from pipeline.store.tally import Totals
from pipeline.store.wire import Connection, Reply


class QueueMeasures(Struct, frozen=True):
    """A queue: what it holds, its totals and histograms, and (outcome, job name) -> how many attempts ended so."""

    counts: Counts
    ends: Mapping[tuple[str, str], int]


class Measures(Struct, frozen=True):
    """The figures at `at` (ms since 1970, the server's clock). `supervisors` are those that live; memory is in bytes,
    and `max_memory` 0 when the broker has no bound."""

    at: int
    generation: int
    supervisors: list[SupervisorState]
    queues: dict[str, QueueMeasures]
    flows: dict[str, FlowFigures]
    totals: Totals
    used_memory: int
    max_memory: int


async def measure(connection: Connection, plan: Plan) -> Measures:
    """Measure the queues of the plan, and all others that were ever published. Raises BrokerError."""
    known, generation, records, time, totals, memory, flows = await asyncio.gather(
        run(connection, reader.queue_names(plan.name)),
        run(connection, reader.generation(plan.name)),
        run(connection, reader.supervisors(plan.name)),
        run(connection, reader.server_time()),
        run(connection, tally.totals(plan.name)),
        connection.call(("INFO", "memory")),
        look_at_flows(connection, plan),
    )
    queues = list(dict.fromkeys([*plan.queues, *known]))
    found = await asyncio.gather(*(_look(connection, plan.name, queue) for queue in queues))
    return Measures(
        time,
        generation,
        [one for one in supervisors.read(records, time) if one.until >= time],
        dict(zip(queues, found, strict=True)),
        flows,
        totals,
        _number(memory, b"used_memory"),
        _number(memory, b"maxmemory"),
    )


async def _look(connection: Connection, project: str, queue: str) -> QueueMeasures:
    counts, ends = await asyncio.gather(
        run(connection, Reader(project, queue).counts()), run(connection, names.ends(project, queue))
    )
    return QueueMeasures(counts, ends)


def _number(info: Reply, field: bytes) -> int:
    for line in info.splitlines():
        name, _, value = line.partition(b":")
        if name == field:
            return int(value)
    return 0
