"""Slots run handlers, one job each at a time, and no job feels how the one before it ended."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from pipeline.errors import SoftTimeout
from pipeline.handler import Handler
from pipeline.job import Job, Runs
from pipeline.policy import JobPolicy
from pipeline.worker.attempt import Attempt, Buffered
from pipeline.worker.slots import LoopSlots, ThreadSlots, store_result, unused
from tests.worker.shop import serving

PATIENCE = 10.0


class Desk:
    """What the pool does for slots: it makes attempts at `handlers` by id, and hears how they ended."""

    def __init__(self, handlers: dict[str, Callable[[Job[Any]], Any]], soft: float = float("inf")) -> None:
        self.handlers = handlers
        self.soft = soft
        self.begun: dict[str, tuple[int, Attempt]] = {}
        self.last: tuple[int, Attempt] | None = None
        self.ends: SimpleQueue[tuple[str, int, Attempt, BaseException | None]] = SimpleQueue()
        self.idles: set[int] = set()
        self.most = self._running = 0
        self._lock = threading.Lock()

    def begin(self, slot: int, held: Buffered) -> Attempt | None:
        id = held.id.decode()
        if id not in self.handlers:
            return None
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        call = self.handlers[id]
        job: Job[Any] = Job(1, "send", None, id=id)
        handler = Handler("shop:send", call, inspect.iscoroutinefunction(call))
        attempt = Attempt(held.id, held.lease, job, Runs(), JobPolicy(), handler, time.monotonic(), self.soft)
        self.begun[id] = self.last = (slot, attempt)
        return attempt

    def ended(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        with self._lock:
            self._running -= 1
        self.ends.put((attempt.job.id, slot, attempt, error))

    ended_in_thread = ended

    def idle(self, slot: int) -> None:
        self.idles.add(slot)


def jobs(*ids: str) -> list[Buffered]:
    return [Buffered(id.encode(), 1, b"") for id in ids]


async def ends(desk: Desk, count: int) -> dict[str, tuple[Attempt, BaseException | None]]:
    """How the next `count` attempts ended, by id."""
    found = {}
    for _ in range(count):
        id, _, attempt, error = await asyncio.to_thread(desk.ends.get, timeout=PATIENCE)
        found[id] = (attempt, error)
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - it comes to hold in another thread
            await asyncio.sleep(0.001)


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


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    # Hypothesis hangs a function into the collector; an exception that arrives in there is only printed.
    gc.disable()
    yield
    gc.enable()
    sys.setswitchinterval(before)


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


# --- more slots, and fewer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "wanted", "new"),
    [([], 3, [1, 3, 5]), ([1, 3], 3, [5]), ([3, 7], 4, [1, 5]), ([1, 3, 5], 2, []), ([9], 1, [])],
)
def test_new_slots_get_the_lowest_numbers_that_are_free(
    taken: list[int], wanted: int, new: list[int]
) -> None:
    assert unused(taken, 1, 2, wanted) == new


def waits(gate: threading.Event, kind: type[LoopSlots | ThreadSlots]) -> Callable[[Job[Any]], Any]:
    async def on_loop(job: Job[Any]) -> None:
        while not gate.is_set():  # noqa: ASYNC110 - the gate is one for threads, too
            await asyncio.sleep(0.001)

    def in_thread(job: Job[Any]) -> None:
        gate.wait(PATIENCE)

    return on_loop if kind is LoopSlots else in_thread


KINDS = pytest.mark.parametrize("kind", [LoopSlots, ThreadSlots])


@KINDS
async def test_idle_slots_that_are_too_many_end_at_once(kind: type[LoopSlots | ThreadSlots]) -> None:
    desk = Desk({str(n): waits(threading.Event(), kind) for n in range(5)})
    slots = kind(desk, 40)
    await until(lambda: len(desk.idles) == 40)
    slots.resize(2)
    assert slots.drain() == []
    await until(lambda: len(serving(slots)) == 2)
    assert len(slots) == 0


@KINDS
async def test_busy_slots_that_are_too_many_end_after_their_jobs(kind: type[LoopSlots | ThreadSlots]) -> None:
    gate = threading.Event()
    desk = Desk({str(n): waits(gate, kind) for n in range(8)})
    slots = kind(desk, 4)
    slots.add(jobs(*(str(n) for n in range(4))))
    await until(lambda: len(desk.begun) == 4)
    slots.resize(1)
    slots.add(jobs("4", "5", "6", "7"))
    assert (len(serving(slots)), len(slots)) == (4, 4)
    gate.set()
    assert len(await ends(desk, 8)) == 8
    await until(lambda: len(serving(slots)) == 1)
    assert len(slots) == 0


@KINDS
async def test_slots_that_were_too_many_for_a_moment_stay(kind: type[LoopSlots | ThreadSlots]) -> None:
    gate = threading.Event()
    desk = Desk({str(n): waits(gate, kind) for n in range(12)})
    slots = kind(desk, 4)
    slots.add(jobs(*(str(n) for n in range(4))))
    await until(lambda: len(desk.begun) == 4)
    before = serving(slots)
    slots.resize(1)
    slots.resize(6)
    slots.add(jobs(*(str(n) for n in range(4, 12))))
    await until(lambda: len(desk.begun) == 6)
    assert before < serving(slots)
    assert len(serving(slots)) == 6
    gate.set()
    assert len(await ends(desk, 12)) == 12


@KINDS
async def test_jobs_that_are_taken_back_keep_no_slot_that_is_too_many(
    kind: type[LoopSlots | ThreadSlots],
) -> None:
    gate = threading.Event()
    desk = Desk({str(n): waits(gate, kind) for n in range(5)})
    slots = kind(desk, 3)
    slots.add(jobs("0", "1", "2", "3", "4"))
    await until(lambda: len(desk.begun) == 3)
    slots.resize(1)
    assert [job.id for job in slots.drain()] == [b"3", b"4"]
    assert (len(slots), slots.drain()) == (0, [])
    slots.add(jobs("3"))
    assert (len(slots), [job.id for job in slots.drain()]) == (1, [b"3"])
    gate.set()
    await ends(desk, 3)
    await until(lambda: len(serving(slots)) == 1)
    slots.add(jobs("3", "4"))
    assert len(await ends(desk, 2)) == 2


async def test_slots_that_come_and_go_amid_jobs_run_each_once(hasty_threads: None) -> None:
    count = 2_000
    desk = Desk({str(n): (lambda job: None) for n in range(count)})
    slots = ThreadSlots(desk, 4)
    for start in range(0, count, 20):
        slots.add(jobs(*(str(n) for n in range(start, start + 20))))
        slots.resize(1 + start // 20 % 7)
        slots.add(slots.drain())
    assert len(await ends(desk, count)) == count
    assert desk.ends.empty()
    slots.resize(3)
    await until(lambda: len(serving(slots)) == 3)
    assert len(slots) == 0
