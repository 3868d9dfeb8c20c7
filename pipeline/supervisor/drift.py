"""What holds for the queues besides our own file: what people changed by hand, and what a newer generation says."""

from __future__ import annotations

import asyncio

from pipeline.store import overrides
from pipeline.store.call import run
from pipeline.store.wire import Connection
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.publish import Publisher

RETRACT_EVERY = 10


class Drift:
    """Looked at once in every beat."""

    def __init__(self, fleet: Fleet, publisher: Publisher, logs: Logs) -> None:
        self._fleet = fleet
        self._publisher = publisher
        self._logs = logs
        self._beats = 0

    async def look(self, connection: Connection) -> None:
        """Go by what holds now. Raises BrokerError."""
        async with self._publisher.changing:
            await self._scale(connection)
            await self._follow(connection)
            if self._beats % RETRACT_EVERY == 0:
                for queue in await self._publisher.retract(connection, self._fleet.plan):
                    self._logs.say(
                        f"{queue} is not in the file any more: its jobs stay, new ones are refused"
                    )
        self._beats += 1

    async def _scale(self, connection: Connection) -> None:
        """As many processes as people want. An override that has ended is removed meanwhile."""
        name, pools = self._fleet.plan.name, self._fleet.serving
        queues = [queue for pool in pools for queue in pool.queues]
        found = await asyncio.gather(*(run(connection, overrides.read(name, queue)) for queue in queues))
        scales = {queue: held.scale for queue, held in zip(queues, found, strict=True)}
        for pool in pools:
            wanted = next((scale for queue in pool.queues if (scale := scales[queue]) is not None), None)
            processes = wanted.processes if wanted is not None else None
            if processes != pool.override:
                by = f" by {wanted.by}" if wanted is not None else ": the file counts again"
                pool.override = processes
                self._logs.say(f"{pool.name} is scaled to {pool.wanted} processes{by}")
                pool.keep()

    async def _follow(self, connection: Connection) -> None:
        """Take over from a newer generation what belongs to the queues as a whole."""
        behind = self._publisher.published.behind
        theirs = await self._publisher.follow(connection, self._fleet.plan)
        if self._publisher.published.behind and not behind:
            self._logs.say("a newer file runs elsewhere: its policies count, those of this file do not")
        for pool in self._fleet.serving:
            ours = {queue: self._fleet.plan.queues[queue] for queue in pool.queues}
            wanted = {queue: theirs.get(queue, policy) for queue, policy in ours.items()}
            if wanted != pool.queues:
                pool.change(wanted, pool.plan, self._fleet.plan.supervisor)
                self._fleet.tell(pool, wanted)
