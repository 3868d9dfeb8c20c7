"""Slots run handlers, one job each at a time, and no job feels how the one before it ended."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from pipeline.errors import SoftTimeout
from pipeline.handler import Handler
from pipeline.job import Job, Runs
from pipeline.policy import JobPolicy
from pipeline.worker.attempt import Attempt
from pipeline.worker.slots import LoopSlots, ThreadSlots, store_result
from tests.worker.desk import Desk, ends, jobs
from tests.worker.shop import PATIENCE, until

# --- results -------------------------------------------------------------------------------------------


def keep(value: Any) -> bytes:
    job: Job[Any] = Job(1, "send", None)
    attempt = Attempt(b"1", 1, job, Runs(), JobPolicy(), Handler("x", lambda job: None, is_async=False), 0.0)
    store_result(attempt, value)
    return attempt.result


def test_a_result_is_kept_as_json() -> None:
    assert keep({"charge": "ch_1"}) == b'{"charge":"ch_1"}'
    assert keep(None) == b""
    assert keep(0) == b"0"


@pytest.mark.parametrize("value", [object(), {"a": lambda: None}, "\ud800"])
def test_a_result_that_json_cannot_hold_is_refused_with_advice(value: Any) -> None:
    with pytest.raises(TypeError, match=r"returned what JSON cannot hold: .*; return plain values, or None"):
        keep(value)


# --- coroutines ----------------------------------------------------------------------------------------


async def fine(job: Job[Any]) -> str:
    return job.id


async def broken(job: Job[Any]) -> None:
    raise ValueError(job.id)


async def endless(job: Job[Any]) -> None:
    await asyncio.Event().wait()


async def unstorable(job: Job[Any]) -> object:
    return object()


async def test_coroutine_slots_run_as_many_jobs_at_once_as_there_are() -> None:
    gate = asyncio.Event()

    async def wait(job: Job[Any]) -> None:
        await gate.wait()

    desk = Desk({str(n): wait for n in range(7)})
    slots = LoopSlots(desk, 3)
    slots.add(jobs(*(str(n) for n in range(7))))
    await until(lambda: len(desk.begun) == 3)
    assert len(slots) == 4
    gate.set()
    assert len(await ends(desk, 7)) == 7
    assert desk.most == 3


async def test_jobs_begin_in_their_order_and_end_with_result_or_error() -> None:
    desk = Desk({"1": fine, "2": broken, "3": unstorable, "4": fine})
    LoopSlots(desk, 1).add(jobs("1", "2", "3", "4"))
    ended = await ends(desk, 4)
    assert list(ended) == ["1", "2", "3", "4"]
    assert [type(error) for _, error in ended.values()] == [type(None), ValueError, TypeError, type(None)]
    assert [attempt.result for attempt, _ in ended.values()] == [b'"1"', b"", b"", b'"4"']


async def test_a_job_that_the_desk_does_not_begin_is_passed_by() -> None:
    desk = Desk({"2": fine})
    LoopSlots(desk, 1).add(jobs("refused", "2"))
    assert list(await ends(desk, 1)) == ["2"]


async def test_what_has_not_begun_can_be_taken_back() -> None:
    desk = Desk({"1": endless, "2": fine})
    slots = LoopSlots(desk, 1)
    slots.add(jobs("1", "2", "3"))
    await until(lambda: "1" in desk.begun)
    assert [job.id for job in slots.drain()] == [b"2", b"3"]
    assert len(slots) == 0
    slots.stop(*desk.begun["1"], "hard")
    assert list(await ends(desk, 1)) == ["1"]


@pytest.mark.parametrize("soft", [float("inf"), 0.0], ids=["plain", "with a soft limit"])
async def test_a_handler_that_is_stopped_is_cancelled_and_the_next_feels_nothing(soft: float) -> None:
    async def waits(job: Job[Any]) -> str:
        await asyncio.sleep(0.001)
        return "fine"

    desk = Desk({"1": endless, "2": waits}, soft)
    slots = LoopSlots(desk, 1)
    slots.add(jobs("1", "2"))
    await until(lambda: "1" in desk.begun)
    slots.stop(*desk.begun["1"], "hard")
    ended = await ends(desk, 2)
    assert isinstance(ended["1"][1], asyncio.CancelledError)
    assert ended["1"][0].stopped == "hard"
    assert (ended["2"][1], ended["2"][0].result) == (None, b'"fine"')


async def test_a_soft_limit_is_an_exception_that_a_coroutine_can_catch_and_go_on() -> None:
    async def tidy(job: Job[Any]) -> str:
        try:
            await asyncio.sleep(PATIENCE)
        except SoftTimeout as limit:
            await asyncio.sleep(0.001)
            return f"tidied: {limit}"
        return "never"

    desk = Desk({"1": tidy}, soft=0.0)
    slots = LoopSlots(desk, 1)
    slots.add(jobs("1"))
    await until(lambda: "1" in desk.begun)
    slots.stop(*desk.begun["1"], "soft")
    attempt, error = (await ends(desk, 1))["1"]
    assert (error, attempt.result) == (None, b'"tidied: the soft time limit has passed"')


async def test_a_soft_limit_that_nobody_catches_ends_the_attempt_as_a_timeout() -> None:
    desk = Desk({"1": endless}, soft=0.0)
    slots = LoopSlots(desk, 1)
    slots.add(jobs("1"))
    await until(lambda: "1" in desk.begun)
    slots.stop(*desk.begun["1"], "soft")
    _, error = (await ends(desk, 1))["1"]
    assert isinstance(error, SoftTimeout)
    assert isinstance(error, TimeoutError)


async def test_after_its_soft_limit_a_coroutine_can_still_be_stopped_hard() -> None:
    async def stubborn(job: Job[Any]) -> None:
        try:
            await asyncio.sleep(PATIENCE)
        except SoftTimeout:
            await asyncio.sleep(PATIENCE)

    desk = Desk({"1": stubborn}, soft=0.0)
    slots = LoopSlots(desk, 1)
    slots.add(jobs("1"))
    await until(lambda: "1" in desk.begun)
    slot, attempt = desk.begun["1"]
    slots.stop(slot, attempt, "soft")
    await until(lambda: attempt.stopped == "")
    slots.stop(slot, attempt, "hard")
    _, error = (await ends(desk, 1))["1"]
    assert isinstance(error, asyncio.CancelledError)
    assert attempt.stopped == "hard"


# --- threads -------------------------------------------------------------------------------------------


async def test_thread_slots_run_as_many_jobs_at_once_as_there_are() -> None:
    gate = threading.Event()
    desk = Desk({str(n): lambda job: gate.wait(PATIENCE) and None for n in range(7)})
    slots = ThreadSlots(desk, 3)
    slots.add(jobs(*(str(n) for n in range(7))))
    await until(lambda: len(desk.begun) == 3)
    assert len(slots) == 4
    gate.set()
    assert len(await ends(desk, 7)) == 7
    assert desk.most == 3


async def test_a_thread_ends_each_job_with_result_or_error() -> None:
    def wrong(job: Job[Any]) -> None:
        raise SystemExit(3)

    desk = Desk({"1": lambda job: job.id, "2": wrong, "3": lambda job: object(), "4": lambda job: None})
    ThreadSlots(desk, 1, 5).add(jobs("1", "2", "refused", "3", "4"))
    ended = await ends(desk, 4)
    assert list(ended) == ["1", "2", "3", "4"]
    assert [type(error) for _, error in ended.values()] == [type(None), SystemExit, TypeError, type(None)]
    assert (ended["1"][0].result, ended["4"][0].result) == (b'"1"', b"")


async def test_what_threads_have_not_begun_can_be_taken_back() -> None:
    gate = threading.Event()
    desk = Desk({"1": lambda job: gate.wait(PATIENCE) and None})
    slots = ThreadSlots(desk, 1)
    slots.add(jobs("1", "2", "3"))
    await until(lambda: "1" in desk.begun)
    assert [job.id for job in slots.drain()] == [b"2", b"3"]
    assert slots.drain() == []
    gate.set()
    await ends(desk, 1)


def spin(job: Job[Any]) -> None:
    """Work that Python can interrupt."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        pass


async def test_a_soft_limit_is_raised_in_the_thread() -> None:
    desk = Desk({"1": spin, "2": lambda job: "fine"}, soft=0.0)
    slots = ThreadSlots(desk, 1)
    slots.add(jobs("1", "2"))
    await until(lambda: "1" in desk.begun)
    slots.stop(*desk.begun["1"], "soft")
    ended = await ends(desk, 2)
    assert isinstance(ended["1"][1], SoftTimeout)
    assert (ended["2"][1], ended["2"][0].result) == (None, b'"fine"')


async def test_a_soft_limit_that_comes_as_the_handler_returns_hits_no_other_job(hasty_threads: None) -> None:
    count = 3_000
    desk = Desk({str(n): (lambda job: None) for n in range(count)}, soft=0.0)
    slots = ThreadSlots(desk, 1)
    slots.add(jobs(*(str(n) for n in range(count))))
    serves = slots._threads[0].is_alive
    stopped = None
    while len(desk.begun) < count and serves():
        if desk.last is not None and desk.last is not stopped:
            stopped = slot, attempt = desk.last
            # As the pool does, which stops an attempt softly once.
            attempt.soft = float("inf")
            slots.stop(slot, attempt, "soft")
    assert serves()
    ended = await ends(desk, count)
    # Whichever was hit was hit by its own limit, and the thread serves on.
    assert all(error is None or isinstance(error, SoftTimeout) for _, error in ended.values())
    desk.handlers["last"] = lambda job: "fine"
    slots.add(jobs("last"))
    assert (await ends(desk, 1))["last"][0].result == b'"fine"'


async def test_nothing_but_a_soft_limit_can_stop_a_thread() -> None:
    gate = threading.Event()
    desk = Desk({"1": lambda job: gate.wait(PATIENCE)}, soft=0.0)
    slots = ThreadSlots(desk, 1)
    slots.add(jobs("1"))
    await until(lambda: "1" in desk.begun)
    slots.stop(*desk.begun["1"], "hard")
    gate.set()
    attempt, error = (await ends(desk, 1))["1"]
    assert (error, attempt.result) == (None, b"true")
