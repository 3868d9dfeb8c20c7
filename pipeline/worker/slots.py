"""Room for running jobs: coroutines for async handlers, threads for the others.

Both begin what the pool has buffered, call the handler, and tell the pool how it ended. A slot serves one
job after the other, so a job costs no task of its own; slots come and go when the concurrency changes.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections import deque
from collections.abc import Collection, Coroutine, Generator
from itertools import count
from math import inf
from queue import Empty, SimpleQueue
from types import coroutine
from typing import Any, Protocol

from pipeline.errors import SoftTimeout
from pipeline.job import encode, has_nan
from pipeline.worker.attempt import Attempt, Buffered

now = time.monotonic


class Desk(Protocol):
    """What slots need of the pool. `begin` and `idle` are called from any thread."""

    def begin(self, slot: int, held: Buffered) -> Attempt | None:
        """The attempt to run in this slot; None when there is nothing to run after all."""

    def ended(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt ended, on the loop."""

    def ended_in_thread(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt ended, in its thread."""

    def idle(self, slot: int) -> None:
        """The slot waits for a job."""


def store_result(attempt: Attempt, value: Any) -> None:
    """Keep what a handler returned. Raises TypeError with advice when JSON cannot hold it."""
    if value is None:
        return
    try:
        attempt.result = encode(value)
        if b"null" in attempt.result and has_nan(value):
            raise ValueError("NaN or Infinity")  # noqa: TRY301 - as the encoder would say it
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        attempt.result = b""
        raise TypeError(
            f"the handler returned what JSON cannot hold: {error}; return plain values, or None"
        ) from None


def unused(taken: Collection[int], first: int, step: int, wanted: int) -> list[int]:
    """The lowest numbers of `first`, `first + step`, ... that make `taken` as many as wanted."""
    numbers = (number for number in count(first, step) if number not in taken)
    return [next(numbers) for _ in range(wanted - len(taken))]


class LoopSlots:
    """Coroutines that run async handlers. Their numbers are `first`, `first + step`, and so on."""

    def __init__(self, desk: Desk, size: int, first: int = 0, step: int = 1) -> None:
        self._desk = desk
        self._first, self._step = first, step
        self._buffer: deque[Buffered] = deque()
        self._free: list[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._surplus = 0
        self.resize(size)

    def __len__(self) -> int:
        return len(self._buffer)

    def add(self, jobs: list[Buffered]) -> None:
        """Jobs to begin as soon as slots are free."""
        self._buffer.extend(jobs)
        for _ in range(min(len(self._free), len(self._buffer))):
            self._free.pop().set_result(None)

    def drain(self) -> list[Buffered]:
        """Take back what has not begun."""
        jobs = list(self._buffer)
        self._buffer.clear()
        return jobs

    def resize(self, size: int) -> None:
        """Serve with so many slots: new ones begin at once, surplus ones end after the job that they run."""
        self._surplus = max(len(self._tasks) - size, 0)
        for slot in unused(self._tasks, self._first, self._step, size):
            self._tasks[slot] = self._loop.create_task(self._serve(slot))
        for _ in range(min(len(self._free), self._surplus)):
            self._free.pop().set_result(None)

    def stop(self, slot: int, attempt: Attempt, why: str) -> None:
        """Cancel the handler, or raise SoftTimeout in it."""
        attempt.stopped = why
        self._tasks[slot].cancel()

    async def _serve(self, slot: int) -> None:
        buffer, desk = self._buffer, self._desk
        begin, ended = desk.begin, desk.ended
        while True:
            while not buffer and not self._surplus:
                desk.idle(slot)
                free = self._loop.create_future()
                self._free.append(free)
                await free
            if self._surplus:
                break
            held = buffer.popleft()
            attempt = begin(slot, held)
            if attempt is None:
                continue
            try:
                call = attempt.handler.call(attempt.job)
                value = await (call if attempt.soft == inf else steered(call, attempt))
                if value is not None:
                    store_result(attempt, value)
            except BaseException as error:  # noqa: BLE001 - whatever a handler raises ends its attempt only
                self._recover(slot)
                ended(slot, attempt, error)
            else:
                ended(slot, attempt, None)
        self._surplus -= 1
        desk.idle(slot)
        del self._tasks[slot]

    def _recover(self, slot: int) -> None:
        # A handler that was cancelled leaves the slot's task marked; the next job must not feel it.
        task = self._tasks[slot]
        while task.cancelling():
            task.uncancel()


@coroutine
def steered(call: Coroutine[Any, Any, Any], attempt: Attempt) -> Generator[Any, Any, Any]:
    """Run a coroutine so that a cancellation at its soft limit reaches it as SoftTimeout."""
    step, value = call.send, None
    while True:
        try:
            waits_for = step(value)
        except StopIteration as done:
            return done.value
        try:
            value, step = (yield waits_for), call.send
        except asyncio.CancelledError as cancelled:
            step = call.throw
            soft = attempt.stopped == "soft"
            value = SoftTimeout("the soft time limit has passed") if soft else cancelled
            attempt.stopped = "" if soft else attempt.stopped
        except BaseException as error:  # noqa: BLE001 - all of it belongs to the handler
            value, step = error, call.throw


class ThreadSlots:
    """Threads that run plain handlers. Their numbers are `first`, `first + step`, and so on."""

    def __init__(self, desk: Desk, size: int, first: int = 0, step: int = 1) -> None:
        self._desk = desk
        self._first, self._step = first, step
        # None wakes a thread that may be one too many.
        self._queue: SimpleQueue[Buffered | None] = SimpleQueue()
        self._threads: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()
        self._surplus = self._knocks = 0
        self.resize(size)

    def __len__(self) -> int:
        return max(self._queue.qsize() - self._knocks, 0)

    def add(self, jobs: list[Buffered]) -> None:
        """Jobs to begin as soon as threads are free."""
        for job in jobs:
            self._queue.put(job)

    def drain(self) -> list[Buffered]:
        """Take back what has not begun."""
        jobs = []
        while True:
            try:
                held = self._queue.get_nowait()
            except Empty:
                break
            if held is None:
                self._knock(-1)
            else:
                jobs.append(held)
        self._knock(self._surplus)
        return jobs

    def resize(self, size: int) -> None:
        """Serve with so many threads: new ones begin at once, surplus ones end after the job that they run."""
        with self._lock:
            self._surplus = max(len(self._threads) - size, 0)
            for slot in unused(self._threads, self._first, self._step, size):
                thread = threading.Thread(target=self._serve, args=(slot,), name=f"slot-{slot}", daemon=True)
                thread.start()
                self._threads[slot] = thread
        self._knock(self._surplus)

    def _knock(self, times: int) -> None:
        """Wake so many threads, or note that one less will be woken. From any thread."""
        with self._lock:
            self._knocks += times
        for _ in range(times):
            self._queue.put(None)

    def stop(self, slot: int, attempt: Attempt, why: str) -> None:
        """Raise SoftTimeout in the thread at its next Python instruction. Nothing else can stop a thread."""
        if why != "soft":
            return
        with self._lock:
            if not attempt.ended:
                attempt.stopped = "soft"
                _raise_in(self._threads[slot], SoftTimeout)

    def _serve(self, slot: int) -> None:
        get, desk = self._queue.get, self._desk
        begin, ended = desk.begin, desk.ended_in_thread
        while not (self._surplus and self._leaves(slot)):
            if self._queue.empty():
                desk.idle(slot)
            held = get()
            if held is None:
                self._knock(-1)
                continue
            attempt = begin(slot, held)
            if attempt is None:
                continue
            error: BaseException | None = None
            # Who stops it softly takes the limit away before.
            limited = attempt.soft != inf
            # SoftTimeout may arrive after the handler returned: it must hit neither the next job nor this loop.
            try:
                try:
                    value = attempt.handler.call(attempt.job)
                    if value is not None:
                        store_result(attempt, value)
                except BaseException as raised:  # noqa: BLE001 - whatever a handler raises ends its attempt only
                    error = raised
                if limited:
                    self._shield(attempt)
            except SoftTimeout:
                attempt.ended = now()
            ended(slot, attempt, error)

    def _leaves(self, slot: int) -> bool:
        """Whether this thread is one too many: then its slot is free for another."""
        with self._lock:
            if not self._surplus:
                return False
            self._surplus -= 1
            self._desk.idle(slot)
            del self._threads[slot]
            return True

    def _shield(self, attempt: Attempt) -> None:
        """From here on `stop` raises nothing in this thread, and what is under way is called off."""
        with self._lock:
            attempt.ended = now()
            if attempt.stopped == "soft":
                _raise_in(threading.current_thread(), None)


def _raise_in(thread: threading.Thread, error: type[BaseException] | None) -> None:
    target = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), target)
