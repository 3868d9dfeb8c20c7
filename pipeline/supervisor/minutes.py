"""The totals of our queues, kept once a minute. Every supervisor of a queue does it; the first one counts."""

from __future__ import annotations

import asyncio

from pipeline.store.store import Store, run
from pipeline.store.wire import Connection
from pipeline.supervisor.fleet import Fleet

MINUTE_MS = 60_000


class Minutes:
    """Looked at once in every beat."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._kept: tuple[int, frozenset[str]] = (0, frozenset())

    async def keep(self, connection: Connection, now: int) -> None:
        """Keep the totals when a minute has begun, or a queue came. `now` is the server's time. Raises BrokerError."""
        queues = frozenset(queue for pool in self._fleet.pools for queue in pool.policies)
        due = (now // MINUTE_MS, queues)
        if due != self._kept:
            stores = [Store(self._fleet.plan.name, queue) for queue in queues]
            await asyncio.gather(*(run(connection, store.minute()) for store in stores))
            self._kept = due
