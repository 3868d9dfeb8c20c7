"""Jobs that start late under a rate limit are told to the broker; those that start in time are not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pipeline import Job
from pipeline.broker import parse
from pipeline.policy import Rate
from pipeline.store import keys
from pipeline.store.connect import connect
from pipeline.store.wire import Connection
from pipeline.worker.link import Link
from pipeline.worker.starts import Starts
from tests.store.lua.given import Queue
from tests.worker.shop import PATIENCE, shop


@asynccontextmanager
async def linked(queue: Queue) -> AsyncIterator[Link]:
    """A worker's way to the broker, open."""
    opened = asyncio.Event()

    async def on_open(_: Connection) -> None:
        opened.set()

    link = Link(parse(queue.url), keys.inbox(queue.name, "w1"), on_open, print)
    link.open()
    await opened.wait()
    try:
        yield link
    finally:
        link.close()
        await asyncio.sleep(0)


async def reserve(broker: str, late: float) -> tuple[int, int]:
    """The time of a reservation in the window before and after a job of it began, so many seconds late."""
    queue = Queue(broker)
    queue.publish(1, rate="5 60000")
    queue.join("w1")
    queue.enqueue("a", generation="1")
    async with linked(queue) as link:
        starts, turn = Starts(queue.store, link), queue.turn(want=1)
        starts.heard(turn.time, time.monotonic())
        before = int(queue.send("ZSCORE", keys.starts(queue.name), turn.lease))
        queue.until(turn.time + 2)
        starts.began(turn.ids[0].encode(), turn.lease, time.monotonic() + late)
        await asyncio.sleep(0)
        assert link.turns is not None
        await link.turns.call(("PING",))
        after = int(queue.send("ZSCORE", keys.starts(queue.name), turn.lease))
    queue.connection.close()
    return before, after


async def test_a_job_that_starts_late_counts_from_then(broker: str) -> None:
    before, after = await reserve(broker, late=0.5)
    assert after > before


async def test_a_job_that_starts_in_time_counts_from_its_reservation(broker: str) -> None:
    before, after = await reserve(broker, late=-0.1)
    assert after == before


async def test_an_answer_that_was_read_late_hides_no_late_start(broker: str) -> None:
    queue = Queue(broker)
    queue.publish(1, rate="5 60000")
    queue.join("w1")
    queue.enqueue("a", generation="1")
    async with linked(queue) as link:
        starts = Starts(queue.store, link)
        starts.heard(queue.turn().time, time.monotonic())
        turn = queue.turn(want=1)
        before = int(queue.send("ZSCORE", keys.starts(queue.name), turn.lease))
        queue.until(turn.time + 30)
        starts.heard(turn.time, time.monotonic())
        starts.began(turn.ids[0].encode(), turn.lease, time.monotonic())
        await asyncio.sleep(0)
        assert link.turns is not None
        await link.turns.call(("PING",))
        assert int(queue.send("ZSCORE", keys.starts(queue.name), turn.lease)) >= before + 30
    queue.connection.close()


async def test_late_jobs_of_one_reservation_are_told_of_at_once(broker: str) -> None:
    queue = Queue(broker)
    queue.publish(1, rate="9 60000")
    queue.join("w1")
    queue.enqueue(*"abcde", generation="1")
    async with linked(queue) as link:
        starts, turn = Starts(queue.store, link), queue.turn(want=5)
        starts.heard(turn.time, time.monotonic())
        queue.send("CONFIG", "RESETSTAT")
        moment = time.monotonic() + 0.5
        for id in turn.ids:
            starts.began(id.encode(), turn.lease, moment)
        for id in turn.ids:
            starts.began(id.encode(), turn.lease, moment, apart=True)
        await asyncio.sleep(0)
        assert link.turns is not None
        await link.turns.call(("PING",))
        scripts = [line for line in queue.send("INFO", "commandstats").splitlines() if "evalsha" in line]
        assert "calls=6," in scripts[0]
    queue.connection.close()


async def test_a_worker_tells_of_jobs_that_its_busy_loop_starts_late(broker: str) -> None:
    async def slow(job: Job[Any]) -> None:
        time.sleep(0.03)  # noqa: ASYNC251 - the next job starts that much later

    async with shop(broker, slow, rate_limit=Rate(10, 60_000)) as it:
        for _ in range(3):
            id = await it.enqueue("slow")
        it.worker()
        await it.ends_as(id, "completed")
        connection = await connect(parse(broker))
        queue = keys.base("shop", "q")
        async with asyncio.timeout(PATIENCE):
            flat = await connection.call(("ZRANGE", keys.starts(queue), 0, -1, "WITHSCORES"))
        late = [int(at) - int(lease) // 1000 for lease, at in zip(flat[::2], flat[1::2], strict=True)]
        assert max(late) > 5
        connection.close()
