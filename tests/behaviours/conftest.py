"""The 45 behaviours that BullMQ's own tests pin, by their numbers, and what a person does in these tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.broker import parse
from pipeline.policy import QueuePolicy
from pipeline.store.call import run, run_blocking
from pipeline.store.connect import connect, connect_blocking
from pipeline.store.operator import Operator
from pipeline.store.reader import server_time
from pipeline.store.store import Move, Store
from pipeline.supervisor.publish import publish_queue
from pipeline.supervisor.recover import HOST_DIED, Recovered, reclaim
from pipeline.worker.pool import Pool
from tests.store.lua.given import Queue
from tests.worker.shop import Shop

BEHAVIOURS = range(1, 46)
behaviour = pytest.mark.behaviour
"""Which of them a test shows."""

DIFFERS = {
    17: "Which jobs a bulk move takes is said by filters (`jobs retry --state --error --older-than`), tested with the commands; here the"
    " move itself.",
    32: "There is no obliterate: `purge` deletes what waits, `remove` what does not run, and retention does the rest.",
    34: "Removal is answered to whoever asked; others see it in the event stream while somebody follows (tests/store/test_events.py).",
    42: "Nobody is told that a queue ran empty: `run --until-empty` ends then, once, and `status` shows it.",
    44: "Prometheus metrics come with `http.listen`; totals are in `status --json`, those of each minute in `pipeline metrics`.",
}
"""What is not as there, and why: the number's other parts have tests, if it has other parts."""


@pytest.fixture
def person(broker: str) -> Iterator[Operator]:
    """Somebody at the terminal, with the queue of the shop."""
    connection = connect_blocking(parse(broker))
    yield Operator(connection, "shop", "q")
    connection.close()


@pytest.fixture
def queue(broker: str) -> Iterator[Queue]:
    """A queue that is moved by hand."""
    queue = Queue(broker)
    yield queue
    queue.connection.close()


async def publish(it: Shop, **own: Any) -> QueuePolicy:
    """Make the shop's policy, with something else in it, the one that counts."""
    connection = await connect(parse(it.broker))
    it.policy = replace(it.policy, **own)
    await publish_queue(connection, "shop", it.policy, 2)
    connection.close()
    return it.policy


def take_away(person: Operator, pool: Pool) -> None:
    """Give what a worker runs to others, as a supervisor does that thinks it gone."""
    moves = [
        Move("front", attempt.job.id.encode(), attempt.lease, attempt.job.options.priority)
        for attempt in pool._running.values()
    ]
    taken = run_blocking(person.connection, Store("shop", "q").reclaim(pool.plan.worker, moves))
    assert taken == len(moves) > 0


async def lose(it: Shop, *, want: int = 1, times: int = 1) -> Recovered:
    """Other hosts, one after the other, take jobs and are never heard of again; a supervisor finds out."""
    connection = await connect(parse(it.broker))
    store = Store("shop", "q")
    recovered = Recovered()
    for n in range(times):
        worker = f"lost{n}"
        await run(connection, store.join(worker, 60_000))
        source = "" if n < it.policy.max_crashes - 1 else "alone"
        turn = store.turn(
            worker, 1, want=want, park=False, source=source, keep=-1, ids=[], leases=[], outcomes=[], moves=[], counters=[]
        )  # fmt: skip
        await connection.call(turn)
        now = await run(connection, server_time())
        recovered = await reclaim(store, connection, worker, "dead", it.policy, HOST_DIED, now)
    connection.close()
    return recovered
