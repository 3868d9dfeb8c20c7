"""Core processing: who runs which job, how many at once, and what is kept of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline import Job
from pipeline.errors import LeaseLost
from pipeline.store import keys
from pipeline.store.operator import Operator
from tests.behaviours.conftest import behaviour, take_away
from tests.conftest import Server
from tests.worker.shop import Shop, shop, until


class Hands:
    """A handler that notes what it runs, and lets a job go on when its gate is open."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.running = 0
        self.at_once: list[int] = []
        """How many ran when each job began, itself included."""
        self.gate = asyncio.Event()

    async def work(self, job: Job[Any]) -> None:
        self.begun.append(job.data)
        self.running += 1
        self.at_once.append(self.running)
        if job.data != "quick":
            await self.gate.wait()
        self.running -= 1


async def ended(it: Shop, count: int) -> None:
    """Wait until so many jobs are completed."""
    async with asyncio.timeout(10):
        while (await it.counts()).stats.get("completed", 0) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@behaviour(1)
async def test_jobs_that_came_before_there_was_any_worker_run_when_one_starts(broker: str) -> None:
    hands = Hands()
    hands.gate.set()
    async with shop(broker, hands.work) as it:
        for n in range(3):
            await it.enqueue("work", n)
        it.worker()
        await ended(it, 3)
        assert hands.begun == [0, 1, 2]


@behaviour(2)
async def test_jobs_run_in_order_of_arrival_and_those_for_the_front_before_them_the_newest_first(
    broker: str,
) -> None:
    """`lifo` is `front=True`, of one call."""
    hands = Hands()
    hands.gate.set()
    async with shop(broker, hands.work, concurrency=1) as it:
        for name in ("first", "second"):
            await it.enqueue("work", name)
        for name in ("urgent", "more urgent"):
            await it.enqueue("work", name, front=True)
        await it.enqueue("work", "third")
        it.worker()
        await ended(it, 5)
        assert hands.begun == ["more urgent", "urgent", "first", "second", "third"]


@behaviour(3)
async def test_no_more_jobs_run_at_once_than_may_also_after_a_change_while_it_runs(broker: str) -> None:
    hands = Hands()
    async with shop(broker, hands.work, concurrency=2) as it:
        pool = it.worker()
        for n in range(12):
            await it.enqueue("work", n)
        await until(lambda: hands.running == 2)
        pool.apply(pool.prepare(replace(it.policy, concurrency=5)))
        await until(lambda: hands.running == 5)
        pool.apply(pool.prepare(replace(it.policy, concurrency=1)))
        hands.gate.set()
        await ended(it, 12)
        assert hands.at_once == [1, 2, 3, 4, 5] + [1] * 7


@behaviour(4)
async def test_a_slow_job_does_not_hold_up_the_free_places_beside_it(broker: str) -> None:
    hands = Hands()
    async with shop(broker, hands.work, concurrency=2) as it:
        it.worker()
        slow = await it.enqueue("work", "slow")
        for _ in range(20):
            await it.enqueue("work", "quick")
        await ended(it, 20)
        assert (await it.client.job("q", slow)).state == "active"
        hands.gate.set()


@behaviour(5)
async def test_a_second_worker_does_not_run_what_the_first_one_runs(broker: str) -> None:
    hands = Hands()
    async with shop(broker, hands.work) as it:
        it.worker("w1")
        slow = await it.enqueue("work", "slow")
        await until(lambda: hands.begun)
        it.pools[0].hush()
        it.worker("w2")
        await it.ends_as(await it.enqueue("work", "quick"), "completed")
        hands.gate.set()
        await it.ends_as(slow, "completed")
        assert hands.begun == ["slow", "quick"]


@behaviour(6)
async def test_whoever_waits_for_a_job_gets_what_its_handler_returned(broker: str) -> None:
    """They wait with `client.wait`: there is no completed event."""

    async def echo(job: Job[Any]) -> Any:
        return job.data

    async with shop(broker, echo) as it:
        it.worker()
        for value in ({"charge": ["ch_1", 1.5, None, True]}, "text", "", 0, None):
            id = await it.enqueue("echo", value)
            assert (await it.client.wait("q", id)).result == value


@behaviour(6)
@pytest.mark.parametrize("what", ["circular", "object", "nan"])
async def test_a_result_that_cannot_be_written_fails_its_job(broker: str, what: str) -> None:
    async def odd(job: Job[Any]) -> Any:
        circle: list[Any] = []
        circle.append(circle)
        return {"circular": circle, "object": object(), "nan": float("nan")}[job.data]

    async with shop(broker, odd) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("odd", what), "dead")
        assert job.error is not None
        assert "JSON cannot hold" in job.error.message


@behaviour(7)
async def test_progress_of_any_kind_is_seen_by_others_while_the_job_runs(broker: str) -> None:
    values = [50, 12.5, "half", True, None, [1, {"a": 2}], {"step": "charge", "of": 3}]

    async def steady(job: Job[Any]) -> None:
        for value in values:
            await job.progress(value)
            seen.append((await it.client.job("q", job.id)).progress)

    seen: list[Any] = []
    async with shop(broker, steady) as it:
        it.worker()
        await it.ends_as(await it.enqueue("steady"), "completed")
        assert seen == values


@behaviour(7)
async def test_progress_of_a_job_that_is_not_ours_any_more_is_an_error(broker: str, person: Operator) -> None:
    """A job that runs cannot be removed; its worker can lose it."""
    told: list[str] = []

    async def slow(job: Job[Any]) -> None:
        try:
            while not told:
                await job.progress(1)
                await asyncio.sleep(0.01)
        except (LeaseLost, asyncio.CancelledError) as error:
            told.append(type(error).__name__)
            raise

    # One slot: a worker that is not parked hears of nothing but its notes.
    async with shop(broker, slow, concurrency=1) as it:
        pool = it.worker()
        await it.enqueue("slow")
        await until(lambda: pool._running)
        take_away(person, pool)
        await until(lambda: told)
        assert (await it.counts()).stats["lost_leases"] >= 1


@behaviour(8)
async def test_the_log_of_a_job_keeps_its_order_and_its_last_hundred_lines(broker: str) -> None:
    async def wordy(job: Job[Any]) -> None:
        for n in range(120):
            await job.log(f"line {n}")

    async with shop(broker, wordy) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("wordy"), "completed")
        assert job.logs == [f"line {n}" for n in range(20, 120)]


@behaviour(9)
async def test_a_worker_that_cannot_fetch_the_next_job_says_so_and_carries_on(
    broker: str, person: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    hands = Hands()
    hands.gate.set()
    call, levels = person.connection.call, keys.levels(keys.base("shop", "q"))
    async with shop(broker, hands.work) as it:
        pool = it.worker()
        await it.ends_as(await it.enqueue("work", 1), "completed")
        # What the worker reads is of the wrong kind, until somebody repairs it.
        call(("SET", levels, "broken"))
        pool.kick()
        await until(lambda: caplog.records)
        call(("DEL", levels))
        await it.ends_as(await it.enqueue("work", 2), "completed")


@behaviour(10)
async def test_a_worker_with_nothing_to_do_asks_for_nothing(broker: str, server: Server) -> None:
    async with shop(broker, Hands().work, concurrency=10) as it:
        pool = it.worker()
        await until(lambda: pool._parked)
        server.ask("CONFIG RESETSTAT")
        await asyncio.sleep(0.5)
        stats = server.ask("INFO commandstats").decode()
        assert "evalsha" not in stats


@behaviour(10)
async def test_jobs_that_come_one_by_one_cost_a_turn_each_and_no_more(broker: str, server: Server) -> None:
    hands = Hands()
    async with shop(broker, hands.work, concurrency=10) as it:
        pool = it.worker()
        await until(lambda: pool._parked)
        before = pool._number
        for n in range(20):
            await it.ends_as(await it.enqueue("work", "quick"), "completed")
            assert pool._number - before <= 2 * (n + 1)
