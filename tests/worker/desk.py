"""What the pool does for slots, in the tests of slots."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from pipeline.handler import Handler
from pipeline.job import Job, Runs
from pipeline.policy import JobPolicy
from pipeline.worker.attempt import Attempt, Buffered
from tests.worker.shop import PATIENCE


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
