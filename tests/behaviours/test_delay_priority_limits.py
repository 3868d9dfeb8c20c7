"""Delay, priority, limits: when a job may begin, and before whom."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from pipeline import Job, RateLimited, RetryLater
from pipeline.errors import InvalidOption
from pipeline.policy import MAX_PRIORITY, Backoff, Rate, RetryPolicy
from pipeline.store import keys
from pipeline.store.operator import Operator
from tests.behaviours.conftest import behaviour, lose, take_away
from tests.worker.shop import PATIENCE, shop, until


class Diary:
    """A handler that writes down what began."""

    def __init__(self) -> None:
        self.begun: list[Any] = []

    async def work(self, job: Job[Any]) -> None:
        self.begun.append(job.data)

    async def reads(self, *entries: Any) -> None:
        """Wait until so many jobs began, and see that it was in this order."""
        await until(lambda: len(self.begun) >= len(entries))
        assert self.begun == list(entries)


@behaviour(18)
async def test_delayed_jobs_run_in_the_order_in_which_they_are_due_and_never_early(broker: str) -> None:
    diary = Diary()
    async with shop(broker, diary.work, concurrency=1) as it:
        it.worker()
        last = await it.enqueue("work", "long", delay="300ms")
        due = datetime.now(UTC) + timedelta(milliseconds=200)
        await it.client.enqueue("q", "work", "first of one moment", at=due)
        await it.client.enqueue("q", "work", "second of one moment", at=due)
        await it.enqueue("work", "short", delay="50ms")
        await diary.reads("short", "first of one moment", "second of one moment", "long")
        job = await it.ends_as(last, "completed")
        assert job.started_at is not None
        assert job.started_at - job.enqueued_at >= 299


@behaviour(18)
async def test_jobs_of_one_millisecond_run_in_the_order_in_which_they_came(broker: str) -> None:
    """Those with ids of the caller's run in the order of their ids."""
    diary = Diary()
    async with shop(broker, diary.work, concurrency=1) as it:
        due = datetime.now(UTC) + timedelta(milliseconds=50)
        for n in range(30):
            await it.enqueue("work", n, at=due)
        it.worker()
        await diary.reads(*range(30))


@behaviour(19)
async def test_a_job_without_a_delay_starts_at_once_while_another_is_delayed(broker: str) -> None:
    diary = Diary()
    async with shop(broker, diary.work) as it:
        it.worker()
        await it.enqueue("work", "later", delay="1h")
        await it.enqueue("work", "now")
        await diary.reads("now")


@behaviour(20)
async def test_the_highest_priority_runs_first_up_to_the_greatest_and_after_any_number_of_jobs(
    broker: str, person: Operator
) -> None:
    """A higher number runs first, and may be below zero: there it is the lower one, from zero on."""
    diary = Diary()
    async with shop(broker, diary.work, concurrency=1) as it:
        person.connection.call(("SET", keys.last_id(keys.base("shop", "q")), 2**52))
        wanted = [0, MAX_PRIORITY, -MAX_PRIORITY, 1, MAX_PRIORITY, MAX_PRIORITY - 1, 0]
        for n, priority in enumerate(wanted):
            await it.enqueue("work", (priority, n), priority=priority)
        it.worker()
        expected = sorted(enumerate(wanted), key=lambda pair: (-pair[1], pair[0]))
        await diary.reads(*([priority, n] for n, priority in expected))


@behaviour(20)
@pytest.mark.parametrize("priority", [MAX_PRIORITY + 1, -MAX_PRIORITY - 1, 1.5, "high", True])
async def test_a_priority_beyond_the_bounds_is_refused(broker: str, priority: Any) -> None:
    async with shop(broker, Diary().work) as it:
        with pytest.raises(InvalidOption, match="is not an integer from -1,000,000 to 1,000,000"):
            await it.enqueue("work", priority=priority)


@behaviour(21)
async def test_a_rate_limit_holds_over_all_workers_from_the_first_job_on(broker: str) -> None:
    """The window slides: no span of that length has more starts, wherever it begins."""
    begun: list[float] = []

    async def work(job: Job[Any]) -> None:
        begun.append(asyncio.get_running_loop().time())

    async with shop(broker, work, rate_limit=Rate(3, 200)) as it:
        for _ in range(8):
            await it.enqueue("work")
        it.worker("w1")
        it.worker("w2")
        await until(lambda: len(begun) == 8)
        assert all(later - sooner > 0.19 for sooner, later in zip(begun, begun[3:], strict=False))


@behaviour(21)
async def test_what_a_rate_limit_holds_back_waits_and_delayed_jobs_join_it(broker: str) -> None:
    diary = Diary()
    async with shop(broker, diary.work, rate_limit=Rate(1, 60_000)) as it:
        it.worker()
        await it.ends_as(await it.enqueue("work", "first"), "completed")
        held = await it.enqueue("work", "held")
        delayed = await it.enqueue("work", "delayed", delay="50ms")
        assert (await it.client.job("q", delayed)).state == "delayed"
        await it.ends_as(delayed, "waiting")
        assert (await it.client.job("q", held)).state == "waiting"
        await diary.reads("first")


@behaviour(22)
async def test_a_handler_that_is_told_to_slow_down_holds_the_queue_and_spends_no_attempt(broker: str) -> None:
    begun: list[tuple[Any, int, float]] = []

    async def calls(job: Job[Any]) -> None:
        begun.append((job.data, job.attempt, asyncio.get_running_loop().time()))
        if len(begun) == 1:
            raise RateLimited("150ms")

    async with shop(broker, calls, concurrency=1) as it:
        for name, priority in (("second", 0), ("first", 5), ("third", 0)):
            await it.enqueue("calls", name, priority=priority)
        it.worker()
        await until(lambda: len(begun) == 4)
        assert [entry[:2] for entry in begun] == [("first", 1), ("first", 1), ("second", 1), ("third", 1)]
        assert begun[1][2] - begun[0][2] > 0.145


@behaviour(22)
async def test_a_worker_leaves_at_once_while_its_queue_is_on_hold(broker: str) -> None:
    async def calls(job: Job[Any]) -> None:
        raise RateLimited("1h")

    async with shop(broker, calls) as it:
        pool = it.worker()
        await it.enqueue("calls")
        async with asyncio.timeout(PATIENCE):
            while not (await it.counts()).held:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        pool.stop(60_000)
        await asyncio.wait_for(it.ends[0], 1)


@behaviour(23)
async def test_no_more_jobs_than_may_are_active_over_all_workers_whatever_becomes_of_them(
    broker: str, person: Operator
) -> None:
    """Some fail and come back, some give up their turn, some lose their worker: no place is lost by any of it."""
    running, most, seen = 0, 0, count()

    async def mixed(job: Job[Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0.002)
            if job.attempt == 1 and job.data % 3 == 0:
                raise ValueError
            if job.data % 5 == 0 and next(seen) < 5:
                raise RetryLater("5ms")
        finally:
            running -= 1

    retry = RetryPolicy(2, Backoff("fixed", 5))
    async with shop(broker, mixed, retry=retry, max_active=2, rate_limit=Rate(40, 50), max_crashes=99) as it:
        ids = [await it.enqueue("mixed", n) for n in range(40)]
        for _ in range(3):
            assert (await lose(it, want=5)).moved == 2
        it.worker("w1")
        it.worker("w2")
        for id in ids:
            await it.ends_as(id, "completed")
        assert most == 2
        counts = await it.counts()
        assert (counts.active, counts.waiting, counts.delayed) == (0, 0, 0)


@behaviour(23)
async def test_the_place_of_a_job_that_lost_its_worker_is_free_again(broker: str, person: Operator) -> None:
    gate = asyncio.Event()
    begun = 0

    async def waits(job: Job[Any]) -> None:
        nonlocal begun
        begun += 1
        async with asyncio.timeout(PATIENCE):
            await gate.wait()

    async with shop(broker, waits, concurrency=1, max_active=1) as it:
        pool = it.worker("w1")
        lost = await it.enqueue("waits")
        await until(lambda: begun == 1)
        it.worker("w2")
        pool.hush()
        take_away(person, pool)
        await until(lambda: begun == 2)
        gate.set()
        await it.ends_as(lost, "completed")
        await it.ends_as(await it.enqueue("waits"), "completed")
