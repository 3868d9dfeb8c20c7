"""How long jobs of a queue have waited, at least: by marks that are set and looked for again.

A record says when its job was enqueued, and not since when it waits: it may have been delayed, or have failed before. So
now and then the last job of every list is remembered; while it is still there, it has waited since.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.reader import Reader
from pipeline.store.wire import Connection

MARKS = 10
LEVELS = 20


class Mark(NamedTuple):
    """A job that waited at `at` (ms, the server's), after so many attempts that failed."""

    id: str
    at: int
    failed: int


class Waits:
    """The marks of one queue. `look` is called over and over."""

    def __init__(self, project: str, queue: str) -> None:
        self._reader = Reader(project, queue)
        self._marks: deque[Mark] = deque()
        self._set_at = 0

    async def look(self, connection: Connection, limit: int, now: int) -> int:
        """For how many ms a job has waited at least, to about a tenth of `limit`; 0 when none is known to wait. `now` is
        the server's time. Raises BrokerError."""
        if self._marks and self._marks[-1].at > now:
            self._marks.clear()  # a clock that went back
            self._set_at = 0
        if now - self._set_at >= limit // MARKS:
            self._set_at = now
            await self._set(connection, now)
        while self._marks and not await self._waits(connection, self._marks[0]):
            self._marks.popleft()
        if not self._marks:
            return 0
        # Past the limit the oldest one says all; those that are younger come to that by themselves.
        while len(self._marks) > 2 * MARKS * LEVELS:
            self._marks.pop()
        return now - self._marks[0].at

    async def _set(self, connection: Connection, now: int) -> None:
        queue = self._reader.queue
        levels = await connection.call(("ZRANGE", keys.levels(queue), -LEVELS, -1))
        marked = {mark.id for mark in self._marks}
        for level in levels:
            id = await connection.call(("LINDEX", keys.wait(queue, int(level)), -1))
            if id is not None and id.decode() not in marked:
                failed = await self._failed(connection, id.decode())
                if failed is not None:
                    self._marks.append(Mark(id.decode(), now, failed))

    async def _waits(self, connection: Connection, mark: Mark) -> bool:
        return await self._failed(connection, mark.id) == mark.failed

    async def _failed(self, connection: Connection, id: str) -> int | None:
        """How often a job that waits has failed or crashed; None for one that does not wait."""
        (job,) = await run(connection, self._reader.show([id]))
        return None if job is None or job.state != "waiting" else job.attempt + job.crashes + len(job.errors)
