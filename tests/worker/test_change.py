"""A hot change: another policy holds from the next job on, and no job that runs is disturbed."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec
import pytest

from pipeline import Job
from pipeline.broker import parse
from pipeline.policy import Backoff, JobPolicy, RetryPolicy, Timeout
from pipeline.store import keys
from pipeline.store.connect import connect
from pipeline.worker.pool import Pool
from tests.worker.shop import MODULE, PATIENCE, Shop, serving, shop, until


def change(it: Shop, pool: Pool, **own: Any) -> None:
    """Hand the pool the shop's policy with something else in it."""
    pool.apply(pool.prepare(msgspec.structs.replace(it.policy, **own)))


def only(job: str, **own: Any) -> dict[str, JobPolicy]:
    return {job: JobPolicy(f"{MODULE}:{job}", **own)}


async def waiting(it: Shop, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await it.counts()).waiting != count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def completed(it: Shop, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await it.counts()).stats.get("completed", 0) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def in_flight(pool: Pool) -> None:
    """Wait until a turn is under way; its answer has not come."""
    async with asyncio.timeout(PATIENCE):
        while not pool._turning:  # noqa: ASYNC110
            await asyncio.sleep(0)


# --- attempts ------------------------------------------------------------------------------------------


async def test_a_job_that_fails_goes_by_the_retry_policy_of_that_moment(
    broker: str, caplog: pytest.LogCaptureFixture
) -> None:
    gate = asyncio.Event()

    async def failing(job: Job[Any]) -> None:
        begun.append(job.attempt)
        await gate.wait()
        raise ValueError

    begun: list[int] = []
    async with shop(broker, failing) as it:
        pool = it.worker()
        id = await it.enqueue("failing")
        await until(lambda: begun == [1])
        change(it, pool, jobs=only("failing", retry=RetryPolicy(2, Backoff("fixed", 1))))
        gate.set()
        job = await it.ends_as(id, "dead")
        assert (begun, len(job.errors)) == ([1, 2], 2)
        assert f"failing {id}, attempt 1 of 2, failed and runs again" in caplog.text


async def test_a_job_whose_name_was_taken_out_of_the_file_ends_by_the_policy_that_it_began_with(
    broker: str,
) -> None:
    gate = asyncio.Event()

    async def failing(job: Job[Any]) -> None:
        begun.append(job.attempt)
        await gate.wait()
        raise ValueError

    begun: list[int] = []
    async with shop(broker, failing, retry=RetryPolicy(2, Backoff("fixed", 60_000))) as it:
        pool = it.worker()
        id = await it.enqueue("failing")
        await until(lambda: begun == [1])
        change(it, pool, jobs={})
        gate.set()
        assert (await it.ends_as(id, "delayed")).errors[0].attempt == 1
        # It has no handler any more, which is what the next one is told.
        other = await it.ends_as(await it.enqueue("failing"), "dead")
        assert other.error is not None
        assert other.error.message == "queue 'q' has no handler for 'failing'"


async def test_the_time_limits_of_a_running_job_stay_and_the_next_has_the_new_ones(broker: str) -> None:
    gate = asyncio.Event()

    async def waits(job: Job[Any]) -> None:
        begun.append(job.id)
        await gate.wait()

    begun: list[str] = []
    async with shop(broker, waits, concurrency=2) as it:
        pool = it.worker()
        first = await it.enqueue("waits")
        await until(lambda: begun == [first])
        change(it, pool, jobs=only("waits", timeout=Timeout(hard=50)))
        second = await it.ends_as(await it.enqueue("waits"), "dead")
        assert second.error is not None
        assert second.error.type == "TimeoutError"
        gate.set()
        await it.ends_as(first, "completed")


async def test_how_long_ids_are_kept_is_what_the_policy_says_when_their_jobs_end(broker: str) -> None:
    gate = asyncio.Event()

    async def waits(job: Job[Any]) -> None:
        begun.append(job.id)
        await gate.wait()

    begun: list[str] = []
    async with shop(broker, waits, ids_keep=60_000) as it:
        pool = it.worker()
        await it.enqueue("waits", id="evt_1")
        await until(lambda: bool(begun))
        change(it, pool, ids_keep=5_000)
        gate.set()
        job = await it.ends_as("evt_1", "completed")
        connection = await connect(parse(broker))
        until_ms = int(await connection.post(("ZSCORE", keys.ids("{shop:q}"), "evt_1")))
        connection.close()
        assert job.finished_at is not None
        assert 4_900 < until_ms - job.finished_at < 10_000


# --- concurrency ---------------------------------------------------------------------------------------


class Gated:
    """Handlers that run until `gate` is set, unless the job's data is "quick"."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.running: set[str] = set()
        self.ran: list[str] = []

    async def on_loop(self, job: Job[Any]) -> None:
        self.ran.append(job.id)
        self.running.add(job.id)
        while job.data != "quick" and not self.gate.is_set():  # noqa: ASYNC110 - a gate for threads, too
            await asyncio.sleep(0.005)
        self.running.discard(job.id)

    def in_thread(self, job: Job[Any]) -> None:
        self.ran.append(job.id)
        self.running.add(job.id)
        if job.data != "quick":
            self.gate.wait(PATIENCE)
        self.running.discard(job.id)


@pytest.mark.parametrize("kind", ["on_loop", "in_thread"])
async def test_more_slots_take_at_once_what_waits(broker: str, kind: str) -> None:
    hands = Gated()
    async with shop(broker, getattr(hands, kind), concurrency=1) as it:
        pool = it.worker()
        ids = [one.id for one in await it.client.enqueue_many("q", [(kind, None)] * 6)]
        await until(lambda: len(hands.running) == 1)
        change(it, pool, concurrency=4)
        await until(lambda: len(hands.running) == 4)
        assert len(pool._board.running()) == 4
        hands.gate.set()
        for id in ids:
            await it.ends_as(id, "completed")
        assert sorted(hands.ran) == sorted(ids)


async def test_a_raise_amid_a_turn_takes_what_that_turn_did_not_ask_for(broker: str) -> None:
    hands = Gated()
    async with shop(broker, hands.on_loop, concurrency=1) as it:
        await it.client.enqueue_many("q", [("on_loop", None)] * 4)
        pool = it.worker()
        await in_flight(pool)
        change(it, pool, concurrency=3)
        await until(lambda: len(hands.running) == 3)
        hands.gate.set()


@pytest.mark.parametrize("kind", ["on_loop", "in_thread"])
async def test_what_a_turn_brings_after_the_slots_became_fewer_goes_back(broker: str, kind: str) -> None:
    hands = Gated()
    async with shop(broker, getattr(hands, kind), concurrency=10) as it:
        await it.client.enqueue_many("q", [(kind, None)] * 10)
        pool = it.worker()
        await in_flight(pool)
        change(it, pool, concurrency=1)
        await until(lambda: bool(hands.running))
        assert pool._hand.buffered == 0
        await waiting(it, 9)
        assert len(hands.running) == 1
        hands.gate.set()
        await completed(it, 10)
        assert len(hands.ran) == len(set(hands.ran)) == 10


@pytest.mark.parametrize("kind", ["on_loop", "in_thread"])
async def test_fewer_slots_end_after_the_jobs_that_they_run(broker: str, kind: str) -> None:
    hands = Gated()
    async with shop(broker, getattr(hands, kind), concurrency=5) as it:
        pool = it.worker()
        await it.client.enqueue_many("q", [(kind, None)] * 8)
        await until(lambda: len(hands.running) == 5)
        change(it, pool, concurrency=2)
        await waiting(it, 3)
        assert len(hands.running) == 5
        hands.gate.set()
        await completed(it, 8)
        hands.gate.clear()
        await it.client.enqueue_many("q", [(kind, None)] * 3)
        await until(lambda: len(hands.running) == 2)
        await waiting(it, 1)
        hands.gate.set()


async def test_under_a_new_limit_over_all_hosts_nothing_is_held_ahead(broker: str) -> None:
    hands = Gated()
    async with shop(broker, hands.on_loop, concurrency=1) as it:
        pool = it.worker()
        await it.client.enqueue_many("q", [("on_loop", "quick")] * 200)
        await until(lambda: len(hands.ran) == 200 and not len(pool.ledger))
        await it.client.enqueue_many("q", [("on_loop", None)] * 20)
        await until(lambda: len(hands.running) == 1)
        change(it, pool, max_active=1)
        await until(lambda: not pool._hand.buffered)
        await waiting(it, 19)
        hands.gate.set()


async def test_both_kinds_of_slots_grow_without_a_number_in_common(broker: str) -> None:
    hands = Gated()
    async with shop(broker, hands.on_loop, hands.in_thread, concurrency=2) as it:
        pool = it.worker()
        await it.client.enqueue_many("q", [("on_loop", None), ("in_thread", None)] * 10)
        await until(lambda: len(hands.running) == 2)
        change(it, pool, concurrency=12)
        await until(lambda: len(hands.running) == 12)
        running = pool._board.running()
        assert {job.id for job in running} == hands.running
        hands.gate.set()


async def test_the_worker_of_a_job_that_runs_alone_keeps_its_one_slot(broker: str) -> None:
    hands = Gated()
    async with shop(broker, hands.on_loop, concurrency=3) as it:
        pool = it.worker(alone=True)
        change(it, pool, concurrency=9)
        assert pool.concurrency == 1
        assert len(serving(pool._hand.lanes[True])) == 1
