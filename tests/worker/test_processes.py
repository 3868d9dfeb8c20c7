"""Handlers in processes of their own: what they say arrives, and nothing that they do reaches further than they."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from faults.processes import is_gone
from pipeline.job import Job
from pipeline.policy import Backoff, RetryPolicy, Timeout
from pipeline.worker.frames import NotLoaded
from pipeline.worker.process_slots import ProcessSlots
from tests.worker import apart_hands as hands
from tests.worker.shop import Shop, shop, until

ROOT = str(Path(__file__).parent)


def apart(broker: str, *handlers: Callable[[Job[Any]], Any], **own: Any) -> AbstractAsyncContextManager[Shop]:
    own = {"concurrency": 1, **own}
    return shop(broker, *handlers, module="apart_hands", root=ROOT, executor="process", **own)


def slots(it: Shop) -> ProcessSlots:
    lane = it.pools[0]._hand.lanes[True]
    assert isinstance(lane, ProcessSlots)
    return lane


async def test_results_notes_and_types_cross_the_border(broker: str) -> None:
    async with apart(broker, hands.plain, hands.on_loop, hands.typed, retry=RetryPolicy(4)) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("plain", 7), "completed")
        assert job.result["pid"] != os.getpid()
        assert (job.result["attempt"], job.result["of"], job.result["path"]) == (1, 4, ROOT)
        assert (job.logs, job.progress) == (["in plain"], {"part": 7})
        other = await it.ends_as(await it.enqueue("on_loop"), "completed")
        assert (other.result, other.logs) == (job.result["pid"], ["one", "two"])
        assert (await it.ends_as(await it.enqueue("typed", 7), "completed")).result == 8
        dead = await it.ends_as(await it.enqueue("typed", "seven"), "dead")
        assert dead.error is not None
        assert (dead.attempt, dead.error.type) == (1, "ValidationError")


async def test_errors_cross_the_border_with_class_message_and_traceback(broker: str) -> None:
    retry = RetryPolicy(3, Backoff("fixed", 10), discard_on=("apart_hands:Declined",))
    async with apart(broker, hands.raises, retry=retry) as it:
        it.worker()
        declined = await it.ends_as(await it.enqueue("raises", "declined"), "dead")
        assert declined.error is not None
        assert (declined.attempt, declined.error.type, declined.error.message) == (
            1,
            "Declined",
            "no such card",
        )
        assert 'raise Declined("no such card")' in str(declined.error.traceback)
        assert (await it.ends_as(await it.enqueue("raises", "discard"), "dead")).attempt == 1
        later = await it.ends_as(await it.enqueue("raises", "later"), "completed")
        assert later.attempt == 1
        odd = await it.ends_as(await it.enqueue("raises", "object"), "dead")
        assert odd.error is not None
        assert (odd.attempt, "JSON cannot hold" in odd.error.message) == (3, True)


async def test_a_soft_limit_is_raised_in_the_handler(broker: str, tmp_path: Path) -> None:
    async with apart(broker, hands.spin, timeout=Timeout(50, 30_000)) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("spin", str(tmp_path / "spin")), "completed")
        assert job.result == "softly"


async def test_a_hard_limit_kills_the_process_with_what_it_started_and_nothing_else(
    broker: str, tmp_path: Path
) -> None:
    async with apart(broker, hands.deaf, hands.plain, timeout=Timeout(None, 300), concurrency=2) as it:
        it.worker()
        job = await it.ends_as(await it.enqueue("deaf", str(tmp_path / "deaf")), "dead")
        assert job.error is not None
        assert (job.error.type, job.error.message) == ("TimeoutError", "ran for more than 0.3 s")
        for pid in (tmp_path / "deaf").read_text().split():
            await until(lambda pid=pid: is_gone(int(pid)))  # type: ignore[misc]
        await it.ends_as(await it.enqueue("plain"), "completed")
        assert (it.retired, len(slots(it)._tasks)) == ([], 2)


async def test_a_cancelled_job_is_killed(broker: str, tmp_path: Path) -> None:
    async with apart(broker, hands.deaf) as it:
        it.worker()
        id = await it.enqueue("deaf", str(tmp_path / "deaf"))
        await until((tmp_path / "deaf").exists)
        assert await it.cancel(id) == "active"
        await it.ends_as(id, "cancelled")


async def test_a_drain_that_takes_too_long_gives_the_job_back_at_no_cost(broker: str, tmp_path: Path) -> None:
    async with apart(broker, hands.deaf) as it:
        it.worker().hush()
        it.worker("w2")
        id = await it.enqueue("deaf", str(tmp_path / "deaf"))
        await until((tmp_path / "deaf").exists)
        it.pools[1].release()
        job = await it.ends_as(id, "waiting")
        assert (job.attempt, job.crashes) == (0, 0)


@pytest.mark.parametrize(("how", "words"), [("exit", "exit code 3"), ("signal", "SIGSEGV")])
async def test_a_job_that_kills_its_process_is_dead_by_its_crashes_and_its_neighbours_live(
    broker: str, tmp_path: Path, how: str, words: str
) -> None:
    async with apart(broker, hands.die, hands.spin, timeout=Timeout(1_500, None), concurrency=2) as it:
        it.worker()
        beside = await it.enqueue("spin", str(tmp_path / "spin"))
        await until((tmp_path / "spin").exists)
        poison = await it.ends_as(await it.enqueue("die", how), "dead")
        assert poison.error is not None
        assert (poison.error.type, poison.crashes, poison.attempt) == ("WorkerCrashed", 3, 1)
        assert poison.error.message == f"its process ended: {words}, 3 times"
        assert (await it.ends_as(beside, "completed")).result == "softly"
        assert it.retired == []


async def test_a_process_is_used_again_and_replaced_after_max_jobs(broker: str) -> None:
    async with apart(broker, hands.plain, executor_max_jobs=3) as it:
        it.worker()
        ids = [answer.id for answer in await it.client.enqueue_many("q", [("plain", None)] * 7)]
        pids = [(await it.ends_as(id, "completed")).result["pid"] for id in ids]
        assert [pids.index(pid) for pid in pids] == [0, 0, 0, 3, 3, 3, 6]


async def test_a_process_that_dies_with_nothing_to_do_is_replaced(broker: str) -> None:
    async with apart(broker, hands.plain) as it:
        it.worker()
        first = (await it.ends_as(await it.enqueue("plain"), "completed")).result["pid"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: is_gone(first))
        job = await it.ends_as(await it.enqueue("plain"), "completed")
        assert job.result["pid"] != first
        assert job.crashes == 0


async def test_handlers_that_do_not_load_keep_the_worker_from_starting(broker: str) -> None:
    def missing(job: Job[Any]) -> None: ...

    async with apart(broker, missing) as it:
        with pytest.raises(NotLoaded, match="module 'apart_hands' has no 'missing'"):
            await it.worker().loaded()
        assert it.retired == []


async def test_setup_lives_in_each_process(
    broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = tmp_path / "life"
    monkeypatch.setenv("APART_LIFE", str(life))
    async with apart(broker, hands.plain, concurrency=2) as it:
        pool = it.worker(setup="apart_hands:opened")
        await pool.loaded()
        await until(lambda: life.exists() and len(life.read_text().splitlines()) == 2)
        pool.stop()
        await asyncio.gather(*it.ends)
        await pool.close(10)
        words, pids = zip(*(line.split() for line in life.read_text().splitlines()), strict=True)
        assert sorted(words) == ["close", "close", "open", "open"]
        assert len(set(pids)) == 2


async def test_what_is_around_a_handler_runs_there_too_and_a_hot_change_arrives(broker: str) -> None:
    from msgspec.structs import replace

    async with apart(broker, hands.plain) as it:
        pool = it.worker()
        await it.ends_as(await it.enqueue("plain"), "completed")
        jobs = {name: replace(job, retry=RetryPolicy(9)) for name, job in it.policy.jobs.items()}
        pool.apply(pool.prepare(replace(it.policy, jobs=jobs, concurrency=2)))
        await until(lambda: len(slots(it)._processes) == 2)
        assert (await it.ends_as(await it.enqueue("plain"), "completed")).result["of"] == 9


async def test_a_job_that_did_not_reach_its_process_before_that_died_is_not_to_blame(broker: str) -> None:
    async with apart(broker, hands.plain) as it:
        pool = it.worker()
        first = (await it.ends_as(await it.enqueue("plain"), "completed")).result["pid"]
        os.kill(first, signal.SIGSTOP)
        id = await it.enqueue("plain")
        await until(lambda: pool._running)
        os.kill(first, signal.SIGKILL)
        assert (await it.ends_as(id, "completed")).crashes == 0
