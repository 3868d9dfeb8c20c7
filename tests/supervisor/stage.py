"""One supervisor's schedules, without the supervisor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.reader import Reader, server_time
from pipeline.store.schedules import Schedules
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.schedules import Scheduler

BASE = keys.base("test", "a")


def fake(**fields: Any) -> Any:
    """Something that only has these."""
    return SimpleNamespace(**fields)


class Stage:
    """One supervisor's schedules; its clock is the broker's as of the last look."""

    def __init__(self, connection, plan):
        self.connection = connection
        self.fleet = fake(plan=plan)
        self.publisher = Publisher("ours")
        self.leases = fake(server_ms=0)
        self.link = fake(connection=connection)
        self.lines: list[str] = []
        self.stopping = False
        logs = fake(say=self.lines.append)
        self.scheduler = Scheduler(
            self.fleet, self.publisher, self.leases, self.link, logs, lambda: self.stopping
        )

    async def publish(self):
        await self.publisher.greet(self.connection, self.fleet.plan, "me")
        return self

    async def now(self):
        return await run(self.connection, server_time())

    async def look(self):
        """One round; for how long nothing is due."""
        self.leases.server_ms = await self.now()
        return await self.scheduler._round()

    async def rewind(self, ms):
        """Nobody was there for so long."""
        at = await self.now() - ms
        await self.connection.call(("HSET", keys.schedules(BASE), "beat:after", at))
        self.scheduler._learned = None
        return at

    async def standing(self):
        return (await run(self.connection, Schedules("test", "a").standing())).get("beat")

    async def jobs(self):
        return sorted(id.decode() for id in await self.connection.call(("HKEYS", keys.jobs(BASE))))

    async def job(self, id):
        [job] = await run(self.connection, Reader("test", "a").show([id]))
        return job
