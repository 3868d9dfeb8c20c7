"""A shop with one queue for the tests of the pool: workers in this process, on a real broker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

from pipeline.async_client import AsyncClient
from pipeline.broker import parse
from pipeline.job import Outcome, encode
from pipeline.plan import WorkerPlan
from pipeline.policy import JobPolicy, QueuePolicy, RetryPolicy, Timeout
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.reader import Counts, JobView, Reader
from pipeline.store.store import Store
from pipeline.supervisor.publish import publish_queue
from pipeline.worker.attempt import Handlers
from pipeline.worker.batches import BatchSlots
from pipeline.worker.board import Board
from pipeline.worker.hand import Lane
from pipeline.worker.pool import Pool
from pipeline.worker.slots import ThreadSlots

PATIENCE = 10.0
MODULE = "handlers_under_test"
ONCE, NEVER = RetryPolicy(), Timeout()


class Owner:
    """A worker of one pool that keeps what it is told."""

    pool: Pool

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def retire(self, reason: str) -> None:
        self._shop.retired.append(reason)
        self.pool.stop(self.pool.plan.stop_timeout)

    def serves(self) -> None:
        self._shop.serving += 1

    def denied(self, reason: str) -> None:
        self._shop.denied.append(reason)


class Shop:
    """A queue `q`, a client of it, and workers that run the given functions."""

    def __init__(self, broker: str, policy: QueuePolicy, client: AsyncClient) -> None:
        self.broker = broker
        self.policy = policy
        self.client = client
        self.root = "/"
        self.pools: list[Pool] = []
        self.retired: list[str] = []
        self.denied: list[str] = []
        self.serving = 0
        self.ends: list[asyncio.Task[None]] = []

    def worker(self, name: str = "w1", broker: str = "", **own: Any) -> Pool:
        """A worker that begins at once."""
        plan = WorkerPlan(name, "shop", self.root, broker or self.broker, (self.policy,), **own)

        owner = Owner(self)
        owner.pool = pool = Pool(plan, Handlers(self.policy), Board.create(), owner)
        self.pools.append(pool)
        self.ends.append(asyncio.create_task(pool.run()))
        return pool

    async def enqueue(self, job: str, data: Any = None, **options: Any) -> str:
        return (await self.client.enqueue("q", job, data, **options)).id

    async def cancel(self, id: str) -> str | None:
        """What a person does; the state that the job was in."""
        outcome = encode(Outcome(0, None, 0))
        connection = await connect(parse(self.broker))
        try:
            return await run(connection, Store("shop", "q").cancel(id, 0, "", "", outcome))
        finally:
            connection.close()

    async def ends_as(self, id: str, *states: str) -> JobView:
        """The job, once it is in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while (found := await self.client.job("q", id)).state not in states:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found

    async def counts(self) -> Counts:
        connection = await connect(parse(self.broker))
        try:
            return await run(connection, Reader("shop", "q").counts())
        finally:
            connection.close()


@asynccontextmanager
async def shop(
    broker: str,
    *handlers: Callable[[Any], Any],
    retry: RetryPolicy = ONCE,
    timeout: Timeout = NEVER,
    around: tuple[Callable[..., Any], ...] = (),
    module: str = MODULE,
    root: str = "/",
    **own: Any,
) -> AsyncIterator[Shop]:
    made = ModuleType(MODULE)
    for handler in (*handlers, *around):
        setattr(made, handler.__name__, handler)
    sys.modules[MODULE] = made
    outer = tuple(f"{module}:{one.__name__}" for one in around)
    jobs = {
        handler.__name__: JobPolicy(f"{module}:{handler.__name__}", timeout, retry, around=outer)
        for handler in handlers
    }
    policy = QueuePolicy("q", jobs=jobs, **own)
    async with AsyncClient(broker, "shop") as client:
        connection = await connect(parse(broker))
        await publish_queue(connection, "shop", policy, 1)
        connection.close()
        found = Shop(broker, policy, client)
        found.root = root
        try:
            yield found
        finally:
            for pool in found.pools:
                pool.release()
            await asyncio.wait_for(asyncio.gather(*found.ends, return_exceptions=True), PATIENCE)
            for pool in found.pools:
                await pool.close(PATIENCE)
            # A thread that was left behind must not speak to a loop that is closed.
            for pool in found.pools:
                for lane in pool._hand.lanes.values():
                    lane.resize(0)
                    await until(lambda lane=lane: not serving(lane))  # type: ignore[misc]
    del sys.modules[MODULE]


def serving(lane: Lane) -> set[int]:
    """The slots that a lane has now."""
    lane = lane.slots if isinstance(lane, BatchSlots) else lane
    return set(lane._threads if isinstance(lane, ThreadSlots) else lane._tasks)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(0.005)
