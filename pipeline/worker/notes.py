"""Progress and logs of running jobs, on their way to the broker; what is refused tells that a lease was lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from pipeline.errors import JobCancelled, LeaseLost
from pipeline.job import LOG_LINE_BYTES, SENT, Job, encode
from pipeline.store.scripts import whole
from pipeline.store.store import Store
from pipeline.store.wire import Command, Connection, Reply
from pipeline.worker.attempt import Attempt
from pipeline.worker.link import Link


class Notes:
    """`send` is what `Job.progress` and `Job.log` call, on the loop or in a handler's thread."""

    def __init__(
        self,
        store: Store,
        worker: str,
        link: Link,
        running: Mapping[int, Attempt],
        lose: Callable[[Attempt], None],
        ask: Callable[[Job[Any], str], Coroutine[Any, Any, Any]],
    ) -> None:
        self._store = store
        self._worker = worker
        self._link = link
        self._running = running
        self._lose = lose
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._known_to: Connection | None = None
        self._from_threads: deque[tuple[Attempt, Command]] = deque()

    def send(self, job: Job[Any], kind: str, value: Any) -> Awaitable[Any]:
        """Send a note; awaiting it waits for the broker. While the broker is away notes are dropped.

        Of a step of a flow it also asks: what `needs` and `failures` say. Raises LeaseLost when the job is known to run
        elsewhere, JobCancelled when a person cancelled it.
        """
        attempt = next((a for a in list(self._running.values()) if a.job is job), None)
        if kind in ("needs", "failures"):
            asked = self._ask(job, kind)
            is_plain = attempt is not None and not attempt.handler.is_async
            return asyncio.run_coroutine_threadsafe(asked, self._loop).result() if is_plain else asked
        if attempt is not None and attempt.stopped == "lost":
            raise LeaseLost(f"the lease of {job.name} {job.id} is lost: what it does counts no more")
        if attempt is not None and attempt.stopped == "cancel":
            raise JobCancelled(f"{job.name} {job.id} was cancelled")
        turns = self._link.turns
        if attempt is None or turns is None:
            return SENT
        progress = encode(value) if kind == "progress" else b""
        line = "" if kind == "progress" else str(value)[:LOG_LINE_BYTES]
        command = self._store.note(self._worker, job.id, attempt.lease, progress, line).command
        if not attempt.handler.is_async:
            self._from_threads.append((attempt, command))
            self._loop.call_soon_threadsafe(self.flush)
            return SENT
        told: asyncio.Future[None] = self._loop.create_future()

        def heard(reply: Reply) -> None:
            self._heard(attempt, reply)
            if not told.done():
                told.set_result(None)

        turns.send(heard, self._certain(command))
        return told

    def flush(self) -> None:
        """Send what threads have noted. A turn does so first: it may settle the job that the notes belong to."""
        while self._from_threads:
            attempt, command = self._from_threads.popleft()
            if self._link.turns is not None:
                self._link.turns.send(partial(self._heard, attempt), self._certain(command))

    def _heard(self, attempt: Attempt, reply: Reply) -> None:
        if not isinstance(reply, Exception):
            self._known_to = self._link.turns
        if reply == 0:
            self._lose(attempt)

    def _certain(self, command: Command) -> Command:
        # A script that the server does not have is sent again, behind the turn that settles the job.
        return command if self._link.turns is self._known_to else whole(command)
