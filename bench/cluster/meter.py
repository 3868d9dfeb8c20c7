"""What was spent until now, by the servers of a broker and by processes; what that is for each job between two looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import NamedTuple

from bench.cluster.model import Cost
from bench.proc import busy, cpu
from pipeline.broker import parse
from pipeline.store.connect import connect
from pipeline.store.wire import checked


class Spent(NamedTuple):
    """Seconds of CPU, as in `model.Cost` and of all that runs here; reads by the servers; and when that was."""

    at: float
    node: float
    broker: float
    client: float
    machine: float
    reads: float


class Side(NamedTuple):
    """One side of the work, enqueue or drain: jobs a second, what one costs, round trips for one, and the cores of this
    machine that did other things meanwhile."""

    rate: float
    cost: Cost
    trips: float
    others: float


def spent(url: str, pids: Iterable[int] = ()) -> Spent:
    """Until now, by all servers of a broker and by these processes."""
    at, infos = time.monotonic(), asyncio.run(_infos(url))
    node, broker, reads = (sum(info[kind] for info in infos) for kind in ("node", "broker", "reads"))
    return Spent(at, node, broker, sum(map(cpu, pids)), busy(), reads)


def side(before: Spent, after: Spent, jobs: int) -> Side:
    """What so many jobs cost between two looks."""
    seconds, node, broker, client, machine, reads = (b - a for a, b in zip(before, after, strict=True))
    others = max(machine - broker - client, 0.0) / seconds
    return Side(jobs / seconds, Cost(node / jobs, broker / jobs, client / jobs), reads / jobs, others)


async def _infos(url: str) -> list[dict[str, float]]:
    connection = await connect(parse(url))
    try:
        servers = (await connection.servers()).values()
        return [
            _figures(checked(await one.call(("INFO", "cpu"))), checked(await one.call(("INFO", "stats"))))
            for one in servers
        ]
    finally:
        connection.close()


def _figures(*sections: bytes) -> dict[str, float]:
    lines = [line for section in sections for line in section.decode().splitlines()]
    told = {name: value for name, found, value in (line.partition(":") for line in lines) if found}
    kinds = ("used_cpu_user", "used_cpu_sys")
    return {
        # A server on macOS does not tell its main thread apart.
        "node": sum(float(told.get(f"{kind}_main_thread") or told[kind]) for kind in kinds),
        "broker": sum(float(told[kind]) for kind in kinds),
        "reads": float(told["total_reads_processed"]),
    }
