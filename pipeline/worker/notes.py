"""Progress and logs of running jobs, on their way to the broker."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping
from typing import Any

from pipeline.job import LOG_LINE_BYTES, SENT, Job, encode
from pipeline.store.store import Store
from pipeline.store.wire import Command, Reply
from pipeline.worker.attempt import Attempt
from pipeline.worker.link import Link


class Notes:
    """`send` is what `Job.progress` and `Job.log` call, on the loop or in a handler's thread."""

    def __init__(self, store: Store, worker: str, link: Link, running: Mapping[int, Attempt]) -> None:
        self._store = store
        self._worker = worker
        self._link = link
        self._running = running
        self._loop = asyncio.get_running_loop()
        self._from_threads: deque[Command] = deque()

    def send(self, job: Job[Any], kind: str, value: Any) -> Awaitable[None]:
        """Send a note; awaiting it waits for the broker. While the broker is away notes are dropped."""
        attempt = next((a for a in list(self._running.values()) if a.job is job), None)
        turns = self._link.turns
        if attempt is None or turns is None:
            return SENT
        progress = encode(value) if kind == "progress" else b""
        line = "" if kind == "progress" else str(value)[:LOG_LINE_BYTES]
        command = self._store.note(self._worker, job.id, attempt.lease, progress, line).command
        if not attempt.handler.is_async:
            self._from_threads.append(command)
            self._loop.call_soon_threadsafe(self.flush)
            return SENT
        told: asyncio.Future[None] = self._loop.create_future()
        turns.send(lambda _: None if told.done() else told.set_result(None), command)
        return told

    def flush(self) -> None:
        """Send what threads have noted. A turn does so first: it may settle the job that the notes belong to."""
        while self._from_threads:
            command = self._from_threads.popleft()
            if self._link.turns is not None:
                self._link.turns.send(_ignore, command)


def _ignore(_: Reply) -> None:
    """A plain handler does not wait for its notes."""
