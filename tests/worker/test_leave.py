"""How a worker leaves a queue: drained, released or reclaimed, and no job is lost by it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline import Job
from pipeline.broker import parse
from pipeline.errors import LeaseLost
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.store import Move, Store
from tests.worker.shop import PATIENCE, shop, until


async def test_a_drain_ends_what_runs_and_gives_back_the_rest(broker: str) -> None:
    gate = asyncio.Event()
    begun: list[str] = []

    async def waits(job: Job[Any]) -> None:
        begun.append(job.id)
        await gate.wait()

    async with shop(broker, waits, concurrency=2) as it:
        ids = [await it.enqueue("waits") for _ in range(5)]
        pool = it.worker()
        await until(lambda: len(begun) == 2)
        pool.stop(60_000)
        gate.set()
        await asyncio.wait_for(it.ends[0], PATIENCE)
        assert begun == ids[:2]
        counts = await it.counts()
        assert (counts.waiting, counts.active, counts.workers) == (3, 0, 0)


async def test_a_release_costs_the_job_nothing(broker: str) -> None:
    begun: list[int] = []

    async def waits(job: Job[Any]) -> None:
        begun.append(job.attempt)
        await asyncio.Event().wait()

    async with shop(broker, waits) as it:
        id = await it.enqueue("waits")
        pool = it.worker()
        await until(lambda: bool(begun))
        pool.release()
        await asyncio.wait_for(it.ends[0], PATIENCE)
        job = await it.client.job("q", id)
        assert (job.state, job.attempt, job.errors) == ("waiting", 0, ())
        it.worker("w2")
        await until(lambda: begun == [1, 1])


async def test_a_quiet_worker_with_nothing_to_do_leaves_at_once(broker: str) -> None:
    async def idle(job: Job[Any]) -> None:
        pass

    async with shop(broker, idle) as it:
        pool = it.worker()
        await it.ends_as(await it.enqueue("idle"), "completed")
        pool.hush()
        await asyncio.sleep(0.1)
        pool.stop(60_000)
        await asyncio.wait_for(it.ends[0], 2)


async def test_a_reclaimed_worker_begins_nothing_more_while_its_process_lives(broker: str) -> None:
    gate = asyncio.Event()
    ran: list[Any] = []

    async def mixed(job: Job[Any]) -> None:
        ran.append(job.id)
        await (gate.wait() if job.data == "gate" else asyncio.sleep(0 if job.data else 0.02))

    async with shop(broker, mixed, concurrency=1) as it:
        pool = it.worker()
        await it.client.enqueue_many("q", [("mixed", "quick")] * 200)
        await until(lambda: len(ran) == 200 and not len(pool.ledger))
        await it.client.enqueue_many("q", [("mixed", "gate"), *[("mixed", None)] * 20])
        await until(lambda: len(ran) == 201)
        connection = connect_blocking(parse(broker))
        store = Store("shop", "q")
        held = run_blocking(connection, store.expel("w1", "dead")) or []
        moves = [Move("front", row.id, int(row.lease)) for row in held if row.record]
        run_blocking(connection, store.reclaim("w1", moves))
        connection.close()
        gate.set()
        with pytest.raises(LeaseLost):
            await asyncio.wait_for(it.ends[0], PATIENCE)
        begun = len(ran)
        await asyncio.sleep(0.1)
        assert len(ran) == begun
