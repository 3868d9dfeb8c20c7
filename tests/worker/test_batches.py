"""Handlers that get a list of jobs: how it is collected, and how each of the jobs ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from pipeline import Discard, Job, RetryLater, SoftTimeout
from pipeline.policy import Backoff, Batching, RetryPolicy, Timeout
from pipeline.worker.batches import keep_results
from tests.worker.shop import PATIENCE, shop, until

Jobs = list[Job[Any]]


async def test_what_waits_together_runs_together_by_name_and_size(broker: str) -> None:
    async def one(jobs: Jobs) -> None:
        calls.append(("one", [job.data for job in jobs]))

    def two(jobs: Jobs) -> None:
        calls.append(("two", [job.data for job in jobs]))

    calls: list[Any] = []
    async with shop(broker, one, two, batch=Batching(3), concurrency=2) as it:
        jobs = [("one", n) for n in range(4)] + [("two", n) for n in range(2)]
        ids = [answer.id for answer in await it.client.enqueue_many("q", jobs)]
        it.worker()
        for id in ids:
            await it.ends_as(id, "completed")
        assert sorted(calls) == [("one", [0, 1, 2]), ("one", [3]), ("two", [0, 1])]


async def test_the_first_job_waits_for_others_no_longer_than_it_may(broker: str) -> None:
    async def gather(jobs: Jobs) -> list[int]:
        return [len(jobs)] * len(jobs)

    async with shop(broker, gather, batch=Batching(3, 60_000), concurrency=1) as it:
        it.worker()
        ids = [await it.enqueue("gather") for _ in range(2)]
        await until(lambda: len(it.pools[0]._hand) == 2)
        assert (await it.counts()).active == 2
        ids.append(await it.enqueue("gather"))
        assert [(await it.ends_as(id, "completed")).result for id in ids] == [3, 3, 3]
    async with shop(broker, gather, batch=Batching(3, 50), concurrency=1) as it:
        it.worker()
        assert (await it.ends_as(await it.enqueue("gather"), "completed")).result == 1


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_each_job_ends_by_its_own_result_or_error(broker: str, kind: str) -> None:
    def each(jobs: Jobs) -> list[Any]:
        again = {
            "later": RetryLater("10ms"),
            "fails": OSError("busy"),
            "never": Discard("no"),
            "odd": object(),
        }
        return [again.get(job.data, job.attempt) for job in jobs if not seen.append(job.id)]  # type: ignore[func-returns-value]

    async def each_async(jobs: Jobs) -> list[Any]:
        for job in jobs:
            await job.log(f"of {len(jobs)}")
        return each(jobs)

    seen: list[str] = []
    handler = each_async if kind == "async" else each
    retry = RetryPolicy(2, Backoff("fixed", 10))
    async with shop(broker, handler, batch=Batching(10), concurrency=1, retry=retry) as it:
        name = handler.__name__
        jobs = [(name, data) for data in ("fine", "fails", "never", "odd")]
        ids = [answer.id for answer in await it.client.enqueue_many("q", jobs)]
        it.worker()
        fine, fails, never, odd = [await it.ends_as(id, "completed", "dead") for id in ids]
        assert (fine.state, fine.result) == ("completed", 1)
        assert fine.logs == (["of 4"] if kind == "async" else [])
        assert [(job.state, job.attempt, job.error and job.error.type) for job in (fails, never, odd)] == [
            ("dead", 2, "OSError"),
            ("dead", 1, "Discard"),
            ("dead", 2, "TypeError"),
        ]
        assert sorted(seen) == sorted([*ids, fails.id, odd.id])


async def test_an_error_of_the_call_is_that_of_every_job_each_by_its_own_attempts(broker: str) -> None:
    async def fails(jobs: Jobs) -> None:
        raise OSError(f"attempt {jobs[0].attempt}")

    async with shop(broker, fails, batch=Batching(10), concurrency=1, retry=RetryPolicy(3)) as it:
        ids = [await it.enqueue("fails", attempts=attempts) for attempts in (1, 3)]
        it.worker()
        ended = [await it.ends_as(id, "dead") for id in ids]
        assert [(job.attempt, len(job.errors)) for job in ended] == [(1, 1), (3, 3)]


@pytest.mark.parametrize("returned", [[1], 7, {"a": 1}])
def test_a_result_that_is_no_list_of_as_many_fails_the_call(returned: Any) -> None:
    attempts: Any = [object(), object()]
    with pytest.raises(TypeError, match="returns None, or a list with the result of each job"):
        keep_results(attempts, returned)


async def test_a_payload_that_does_not_fit_dies_alone(broker: str) -> None:
    async def typed(jobs: list[Job[int]]) -> list[int]:
        return [job.data + 1 for job in jobs]

    async with shop(broker, typed, batch=Batching(10), concurrency=1) as it:
        ids = [answer.id for answer in await it.client.enqueue_many("q", [("typed", 1), ("typed", "x")])]
        it.worker()
        assert (await it.ends_as(ids[0], "completed")).result == 2
        assert (await it.ends_as(ids[1], "dead")).attempt == 1


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_soft_limit_is_raised_once_in_the_call(broker: str, kind: str) -> None:
    async def waits(jobs: Jobs) -> list[str]:
        try:
            await asyncio.sleep(PATIENCE)
        except SoftTimeout:
            return ["softly"] * len(jobs)
        return []

    def spins(jobs: Jobs) -> list[str]:
        import time

        end = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < end:
                pass
        except SoftTimeout:
            return ["softly"] * len(jobs)
        return []

    handler = waits if kind == "async" else spins
    async with shop(broker, handler, batch=Batching(10), concurrency=1, timeout=Timeout(100, 30_000)) as it:
        ids = [answer.id for answer in await it.client.enqueue_many("q", [(handler.__name__, None)] * 3)]
        it.worker()
        assert [(await it.ends_as(id, "completed")).result for id in ids] == ["softly"] * 3


async def test_a_hard_limit_ends_the_attempt_of_every_job(broker: str) -> None:
    async def endless(jobs: Jobs) -> None:
        await asyncio.Event().wait()

    async with shop(broker, endless, batch=Batching(10), concurrency=1, timeout=Timeout(None, 100)) as it:
        ids = [answer.id for answer in await it.client.enqueue_many("q", [("endless", None)] * 3)]
        it.worker()
        for id in ids:
            job = await it.ends_as(id, "dead")
            assert job.error is not None
            assert job.error.type == "TimeoutError"
        assert it.retired == []


async def test_a_cancelled_job_does_not_stop_the_others_and_the_last_one_does(broker: str) -> None:
    async def waits(jobs: Jobs) -> None:
        begun.append(len(jobs))
        await asyncio.Event().wait()

    begun: list[int] = []
    async with shop(broker, waits, batch=Batching(10), concurrency=1) as it:
        ids = [answer.id for answer in await it.client.enqueue_many("q", [("waits", None)] * 2)]
        it.worker()
        await until(lambda: begun)
        await it.cancel(ids[0])
        await until(lambda: any(one.stopped == "cancel" for one in it.pools[0]._running.values()))
        assert (await it.counts()).active == 2
        await it.cancel(ids[1])
        for id in ids:
            await it.ends_as(id, "cancelled")
        assert begun == [2]


async def test_a_cancel_that_the_handler_does_not_catch_gives_the_others_back_at_no_cost(broker: str) -> None:
    async def notes(jobs: Jobs) -> None:
        begun.append(len(jobs))
        while len(jobs) > 1:
            for job in jobs:
                await job.progress(1)
            await asyncio.sleep(0.005)

    begun: list[int] = []
    async with shop(broker, notes, batch=Batching(10), concurrency=1) as it:
        ids = [answer.id for answer in await it.client.enqueue_many("q", [("notes", None)] * 2)]
        it.worker()
        await until(lambda: begun)
        await it.cancel(ids[0])
        await it.ends_as(ids[0], "cancelled")
        other = await it.ends_as(ids[1], "completed")
        assert (other.attempt, other.errors, begun) == (1, (), [2, 1])


async def test_a_drain_gives_back_what_was_collected_and_what_runs(broker: str) -> None:
    async def waits(jobs: Jobs) -> None:
        begun.append(len(jobs))
        await asyncio.Event().wait()

    begun: list[int] = []
    async with shop(broker, waits, batch=Batching(2, 60_000), concurrency=2) as it:
        pool = it.worker()
        ids = [answer.id for answer in await it.client.enqueue_many("q", [("waits", None)] * 3)]
        await until(lambda: begun)
        await until(lambda: len(pool._hand) == 3)
        pool.release()
        jobs = [await it.ends_as(id, "waiting") for id in ids]
        assert [job.attempt for job in jobs] == [0, 0, 0]
        assert begun == [2]


async def test_a_batch_that_is_not_full_takes_the_place_of_a_full_one(broker: str) -> None:
    """So that no job waits here for a slot while another worker has one."""

    def blocks(jobs: Jobs) -> None:
        begun.append(len(jobs))
        gate.wait(PATIENCE)

    begun: list[int] = []
    gate = threading.Event()
    async with shop(broker, blocks, batch=Batching(10), concurrency=1) as it:
        pool = it.worker()
        first = await it.enqueue("blocks")
        await until(lambda: begun)
        rest = [answer.id for answer in await it.client.enqueue_many("q", [("blocks", None)] * 5)]
        await asyncio.sleep(0.1)
        counts = await it.counts()
        assert (counts.active, counts.waiting, len(pool._hand)) == (1, 5, 1)
        gate.set()
        for id in [first, *rest]:
            await it.ends_as(id, "completed")
        assert begun == [1, 5]
