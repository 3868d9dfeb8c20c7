"""What rates, deduplication and lanes cost: how fast a worker drains a queue that uses them, beside a plain queue."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict

from faults.bars.verdict import Given, Verdict, say
from faults.broker import Broker
from faults.processes import eventually, kill
from faults.shop import NAME, Shop
from pipeline import Client
from pipeline.broker import parse
from pipeline.producer import Wanted
from pipeline.store import keys
from pipeline.store.connect import connect_blocking
from pipeline.store.operator import Operator

ROUNDS = 5
JOBS = 20_000
QUEUES = """\
x-base: &base {handler: "hands:nothing", paused: true, retention: {completed: {count: 100}}}
queues:
  plain: {<<: *base}
  rate: {<<: *base, rate_limit: {max: 1000000, per: 1s}}
  deduplication: {<<: *base, deduplication: {key: "{data.n}"}}
  fair: {<<: *base, lanes: {key: "{data.tenant}", fair: true}}
  strict: {<<: *base, lanes: {key: "{data.n}", order: strict}}
  keyed: {<<: *base, lanes: {key: "{data.tenant}", max_active: 2}}
"""
LEAST = {"rate": 0.7, "deduplication": 0.7, "fair": 1 / 3, "strict": 1 / 3, "keyed": 1 / 3}
TENANTS = 100


def measure(given: Given) -> Verdict:
    """All queues by turns, each of them a process with 10 slots; the medians, against the plain one."""
    verdict, rates = Verdict(), defaultdict[str, list[float]](list)
    broker = Broker(given.folder)
    broker.start()
    shop = Shop(given.folder / "shop", broker.url)
    try:
        shop.write(QUEUES)
        shop.up()
        for number in range(given.rounds or ROUNDS):
            say(f"round {number + 1}")
            for queue in ("plain", *LEAST):
                rates[queue].append(_drain(broker, queue))
    finally:
        for one in shop.supervisors:
            kill(one.pid, *one.workers())
            one.process.wait()
        broker.kill()
    plain = statistics.median(rates["plain"])
    verdict.tell("plain", f"{plain:,.0f} jobs/s")
    for queue, least in LEAST.items():
        ratio = statistics.median(rates[queue]) / plain
        verdict.at_least(f"{queue}: to plain", round(ratio, 3), round(least, 3), " x")
    verdict.figures.update(rates)
    return verdict


def _drain(broker: Broker, queue: str) -> float:
    """Jobs a second, from a resume until all have ended."""
    stats = keys.stats(keys.base(NAME, queue))
    jobs = [Wanted("job", {"n": n, "tenant": n % TENANTS}) for n in range(JOBS)]
    with Client(broker.url, NAME) as client:
        client.enqueue_many(queue, jobs)
    before = _completed(broker, stats)
    _set_paused(broker, queue, paused=False)
    begun = time.monotonic()
    eventually(lambda: _completed(broker, stats) == before + JOBS, f"{queue} is empty", 120)
    seconds = time.monotonic() - begun
    _set_paused(broker, queue, paused=True)
    return JOBS / seconds


def _completed(broker: Broker, stats: str) -> int:
    return int(broker.call("HGET", stats, "completed") or 0)


def _set_paused(broker: Broker, queue: str, *, paused: bool) -> None:
    connection = connect_blocking(parse(broker.url))
    hands = Operator(connection, NAME, queue)
    if paused:
        hands.pause("the measurement")
    else:
        hands.resume()
    connection.close()
