"""Retry: how often, when, and by whom."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from pipeline import Discard, Job, RetryLater
from pipeline.errors import JobNotFound, WrongState
from pipeline.policy import Backoff, DeadLetter, RetryPolicy
from pipeline.retry import pause, pauses
from pipeline.store.listing import Filter
from pipeline.store.operator import Operator
from tests.behaviours.conftest import behaviour
from tests.worker.shop import shop, until

AT_ONCE = Backoff("fixed", 0)
EXPONENTIAL = Backoff("exponential", 100, max=1_000)


async def failing(job: Job[Any]) -> None:
    raise ValueError(f"attempt {job.attempt}")


@behaviour(11)
async def test_a_job_runs_as_often_as_it_may_and_each_failure_is_kept_with_its_traceback(broker: str) -> None:
    async with shop(broker, failing, retry=RetryPolicy(3, AT_ONCE)) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("failing"), "dead")
        assert [(error.attempt, error.message) for error in job.errors] == [
            (n, f"attempt {n}") for n in (1, 2, 3)
        ]
        assert all("in failing\n    raise ValueError" in error.traceback for error in job.errors)
        assert (await it.counts()).stats["failed"] == 3


@behaviour(11)
async def test_a_job_that_succeeds_at_its_last_attempt_is_completed(broker: str) -> None:
    async def third_time(job: Job[Any]) -> int:
        if job.attempt < 3:
            raise ValueError
        return job.attempt

    async with shop(broker, third_time, retry=RetryPolicy(3, AT_ONCE)) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("third_time"), "completed", "dead")
        assert (job.state, job.result) == ("completed", 3)


@behaviour(12)
@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff("fixed", 100), (100, 100, 100, 100, 100)),
        (Backoff("linear", 100), (100, 200, 300, 400, 500)),
        (EXPONENTIAL, (100, 200, 400, 800, 1_000)),
        (Backoff("list", delays=(10, 5_000, 60_000)), (10, 5_000, 60_000, 60_000, 60_000)),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_each_kind_of_backoff_gives_the_delays_that_it_says(
    backoff: Backoff, delays: tuple[int, ...]
) -> None:
    assert pauses(RetryPolicy(6, backoff)) == delays


@behaviour(12)
async def test_a_job_that_failed_comes_back_after_its_backoff_and_not_before(broker: str) -> None:
    async def twice(job: Job[Any]) -> None:
        begun.append(asyncio.get_running_loop().time())
        if job.attempt == 1:
            raise ValueError

    begun: list[float] = []
    async with shop(broker, twice, retry=RetryPolicy(2, Backoff("fixed", 150))) as it:
        it.worker()
        await it.ends_as(await it.enqueue("twice"), "completed")
        assert 0.145 < begun[1] - begun[0] < 2


@behaviour(12)
def test_jitter_only_takes_off_and_no_more_than_its_share() -> None:
    chance, rule = random.Random(1), Backoff("fixed", 1_000, jitter=0.3)
    drawn = [pause(rule, 1, chance) for _ in range(500)]
    assert 700 <= min(drawn) < 710
    assert 990 < max(drawn) <= 1_000


@behaviour(12)
async def test_a_handler_that_has_a_backoff_of_its_own_says_when_it_runs_again_or_that_it_does_not(
    broker: str,
) -> None:
    """A custom strategy is `RetryLater`, which spends no attempt, and its -1 is `Discard`."""

    async def its_own(job: Job[Any]) -> None:
        begun.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)  # asks somebody when to come back
        raise RetryLater("60ms") if len(begun) < 3 else Discard("the gateway is gone")

    begun: list[float] = []
    async with shop(broker, its_own, retry=RetryPolicy(2)) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("its_own"), "dead")
        assert min(begun[1] - begun[0], begun[2] - begun[1]) > 0.055
        assert (len(begun), job.attempt) == (3, 1)


@behaviour(13)
@pytest.mark.parametrize("declared", [False, True], ids=["raised", "in the file"])
async def test_an_error_that_no_attempt_would_mend_makes_the_job_dead_at_once(
    broker: str, declared: bool
) -> None:
    async def declined(job: Job[Any]) -> None:
        raise KeyError("card") if declared else Discard("card declined")

    async with shop(broker, declined, retry=RetryPolicy(5, AT_ONCE, discard_on=("LookupError",))) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("declined"), "dead")
        assert (job.attempt, job.attempts, len(job.errors)) == (1, 5, 1)


@behaviour(14)
async def test_a_death_is_told_once_and_a_failure_that_is_retried_is_not(
    broker: str, person: Operator
) -> None:
    """There is no event; who must hear of it is named in the file, and a discarded job counts as one that died."""
    morgue = Operator(person.connection, "shop", "morgue")
    told: list[int] = []

    async def fails(job: Job[Any]) -> None:
        told.append(len(list(morgue.jobs())))
        raise Discard("never") if job.data == "discard" else ValueError

    letter = DeadLetter(queue="morgue")
    async with shop(broker, fails, retry=RetryPolicy(3, AT_ONCE), dead_letter=letter) as it:
        it.worker()
        await it.ends_as(await it.enqueue("fails"), "dead")
        assert (told, [job.id for job in morgue.jobs()]) == ([0, 0, 0], ["q:1"])
        await it.ends_as(await it.enqueue("fails", "discard"), "dead")
        assert sorted(job.id for job in morgue.jobs()) == ["q:1", "q:2"]
        assert (await it.counts()).stats["dead"] == 2


@behaviour(15)
async def test_a_dead_or_cancelled_job_that_a_person_redrives_runs_from_its_first_attempt(
    broker: str, person: Operator
) -> None:
    begun: list[int] = []

    async def twice(job: Job[Any]) -> None:
        begun.append(job.attempt)
        if len(begun) < 4:
            raise ValueError

    async with shop(broker, twice, retry=RetryPolicy(2, AT_ONCE)) as it:
        withdrawn = await it.enqueue("twice", delay="1h")
        await it.cancel(withdrawn)
        it.worker()
        died = await it.enqueue("twice")
        await it.ends_as(died, "dead")
        person.redrive(died)
        job = await it.ends_as(died, "completed")
        assert (begun, job.attempt) == ([1, 2, 1, 2], 2)
        person.redrive(withdrawn)
        await it.ends_as(withdrawn, "completed")


@behaviour(15)
async def test_what_did_not_fail_cannot_be_redriven(broker: str, person: Operator) -> None:
    """A completed job does not run again: whoever wants that puts in another one."""

    async def waits(job: Job[Any]) -> None:
        if job.data == "fail":
            raise ValueError
        if job.data == "wait":
            await asyncio.Event().wait()

    async with shop(broker, waits) as it:
        it.worker()
        done = await it.enqueue("waits")
        await it.ends_as(done, "completed")
        active = await it.enqueue("waits", "wait")
        await it.ends_as(active, "active")
        died = await it.enqueue("waits", "fail")
        await it.ends_as(died, "dead")
        it.pools[0].hush()
        person.redrive(died)
        for id, state in ((done, "completed"), (active, "active"), (died, "waiting")):
            with pytest.raises(WrongState, match=f"is {state}"):
                person.redrive(id)
        person.remove(died)
        with pytest.raises(JobNotFound):
            person.redrive(died)


@behaviour(16)
async def test_a_retry_keeps_its_priority_and_goes_behind_its_equals(broker: str) -> None:
    begun: list[str] = []

    async def once(job: Job[Any]) -> None:
        begun.append(job.data)
        if job.attempt == 1 and job.data.endswith("fails"):
            raise ValueError

    async with shop(broker, once, retry=RetryPolicy(2), concurrency=1) as it:
        for name, priority in (("low", 0), ("high, fails", 9), ("high", 9)):
            await it.enqueue("once", name, priority=priority)
        it.worker()
        await until(lambda: len(begun) == 4)
        assert begun == ["high, fails", "high", "high, fails", "low"]


@behaviour(16)
async def test_a_retry_without_a_delay_waits_and_is_not_delayed(broker: str) -> None:
    async with shop(broker, failing, retry=RetryPolicy(2)) as it:
        pool = it.worker()
        pool.hush()
        id = await it.enqueue("failing")
        it.worker("w2")
        await it.ends_as(id, "dead")
        assert (await it.counts()).delayed == 0


@behaviour(17)
async def test_many_are_redriven_by_name_error_or_age_and_wait_while_the_queue_is_paused(
    broker: str, person: Operator
) -> None:
    async def one(job: Job[Any]) -> None:
        raise ValueError(job.data)

    async def other(job: Job[Any]) -> None:
        raise KeyError(job.data)

    async with shop(broker, one, other) as it:
        it.worker()
        ids = [await it.enqueue(*job) for job in (("one", "a"), ("one", "b"), ("other", "c"), ("one", "d"))]
        for id in ids:
            died = await it.ends_as(id, "dead")
        person.pause("ann")
        for only, expected in (
            (Filter(name="other"), [ids[2]]),
            (Filter(error="valueerror: b"), [ids[1]]),
            (Filter(until=(died.finished_at or 0) - 1), [ids[0]]),
            (Filter(), [ids[3]]),
        ):
            found = [job for job in person.jobs(["dead"], only) if job.id in expected]
            assert [job.id for job in found] == expected
            assert person.redrive_many(found).moved == 1
        counts = await it.counts()
        assert (counts.waiting, counts.dead, counts.active) == (4, 0, 0)
        person.resume()
        await it.ends_as(ids[3], "dead")
