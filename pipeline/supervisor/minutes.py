"""What our queues counted, kept once a minute. Every supervisor of a queue does it; the first one counts."""

from __future__ import annotations

import asyncio

from pipeline.store.call import run
from pipeline.store.reader import Reader
from pipeline.store.store import Store
from pipeline.store.wire import Connection
from pipeline.supervisor.fleet import Fleet

MINUTE_MS = 60_000


class Minutes:
    """Looked at once in every beat."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._kept: tuple[int, frozenset[str]] = (0, frozenset())

    async def keep(self, connection: Connection, now: int) -> None:
        """Keep it when a minute has begun, or a queue came. `now` is the server's time. Raises BrokerError."""
        queues = frozenset(queue for pool in self._fleet.pools for queue in pool.policies)
        due = (now // MINUTE_MS, queues)
        if due != self._kept:
            await asyncio.gather(*(keep(connection, self._fleet.plan.name, queue) for queue in queues))
            self._kept = due


async def keep(connection: Connection, project: str, queue: str) -> None:
    """Keep what one queue has counted, and how long its oldest job waits. Raises BrokerError."""
    counts = await run(connection, Reader(project, queue).counts())
    oldest = 0 if counts.oldest_at is None else max(counts.time - counts.oldest_at, 1)
    await run(connection, Store(project, queue).minute(oldest))
