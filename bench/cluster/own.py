"""python -m bench.cluster.own URL: what a job costs your own broker, and what so many nodes like it would bear.

Puts no-op jobs into queues of a project of its own, drains them with a worker for each, and deletes what is left of it. The broker should have
nothing else to do meanwhile; what it does besides is told.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time

from bench.cluster.measure import ours, whole
from bench.cluster.meter import Side, spent
from bench.cluster.model import Cost, bears, clients, nodes
from bench.ours import Project
from bench.places import WORK
from faults.processes import TooLate
from pipeline.broker import parse
from pipeline.errors import PipelineError
from pipeline.store.connect import connect
from pipeline.store.wire import checked

QUEUES = tuple(f"q{number}" for number in range(6))
VARIABLE, LOAD = "BENCH_BROKER", 0.6
AWAY = 69


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster.own", description=__doc__)
    parser.add_argument("url", help="as in broker.url")
    parser.add_argument("--jobs", type=whole, default=20_000, help="in each of 6 queues (default: 20000)")
    parser.add_argument(
        "--rate", type=float, default=100_000, help="jobs a second that you want (default: 100000)"
    )
    args = parser.parse_args()
    try:
        parse(args.url)
    except ValueError as error:
        parser.error(str(error))
    try:
        sides = measure(args.url, args.jobs)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(AWAY) from None
    except TooLate as error:
        sys.exit(f"{error}; {WORK / 'worker.log'} says why")
    print(text(*sides, args.rate))


def measure(url: str, jobs: int) -> tuple[float, Side, Side, Side]:
    """Cores that the broker was busy with before; then enqueue in batches, one by one, and drain. Raises BrokerError."""
    WORK.mkdir(parents=True, exist_ok=True)
    busy = besides(url)
    os.environ[VARIABLE] = url
    project = Project(
        "ours-own", broker=f"${{{VARIABLE}}}", queues=QUEUES, project=f"bench-{secrets.token_hex(4)}"
    )
    try:
        return busy, *ours(url, project, jobs)
    finally:
        asyncio.run(delete(url, project.project))


def besides(url: str) -> float:
    """Cores that the broker's servers keep busy when we do nothing, within a second."""
    before = spent(url)
    time.sleep(1)
    after = spent(url)
    return (after.broker - before.broker) / (after.at - before.at)


async def delete(url: str, project: str) -> None:
    """All keys of a project, on all servers."""
    connection = await connect(parse(url))
    try:
        for server in (await connection.servers()).values():
            cursor = b"0"
            while True:
                cursor, found = await server.call(
                    ("SCAN", cursor, "MATCH", f"{{{project}[:}}]*", "COUNT", 1000)
                )
                for reply in await asyncio.gather(*(server.post(("UNLINK", key)) for key in found)):
                    checked(reply)
                if cursor == b"0":
                    break
    finally:
        connection.close()


def text(busy: float, enqueue: Side, single: Side, drain: Side, wanted: float) -> str:
    """What was found, for a person."""
    ways = {
        "enqueue, 100 in a call": enqueue,
        "enqueue one by one": single,
        "drain, handlers do nothing": drain,
    }
    lines = [
        f"before it began the broker was busy for {busy:.0%} of a core; what it does besides counts in here",
        "",
        "microseconds of CPU a job        node  broker  producer or worker   round trips",
        *(f"{name:28} {_us(one.cost)} {one.trips:13.4f}" for name, one in ways.items()),
        "",
        f"to bear {wanted:,.0f} jobs a second, with nodes that share evenly and are busy for {LOAD:.0%} of the time:",
    ]
    for name, first in (("100 in a call", enqueue), ("one by one", single)):
        lines.append(f"put in {name:13} {_needs(first.cost, drain.cost, wanted)}")
    return "\n".join(lines)


def _needs(enqueue: Cost, drain: Cost, wanted: float) -> str:
    whole = enqueue.and_then(drain)
    count, most = nodes(whole, wanted, LOAD), bears(whole, 1)
    producers, workers = clients(enqueue, wanted), clients(drain, wanted)
    return (
        f"{count} node{'s' * (count > 1)} (one bears {most:,.0f} at most), "
        f"{producers:.1f} cores of producers, {workers:.1f} of workers"
    )


def _us(cost: Cost) -> str:
    return f"{cost.node * 1e6:8.2f} {cost.broker * 1e6:7.2f} {cost.client * 1e6:19.2f}"


if __name__ == "__main__":
    main()
