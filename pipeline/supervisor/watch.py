"""Notices that the file, or anything that it was read from, is not what it was.

It compares contents, and not times or events: those miss renames, links that are swapped, and network folders.
"""

from __future__ import annotations

import asyncio

from pipeline.config.inputs import fingerprint
from pipeline.control import Outcome
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.reload import Reloader

STEADY_SECONDS, STEADY_TRIES = 0.1, 20
BY = "watch"


class Watcher:
    """Reloads when the content changed; content that was refused is not tried again, unless the reason may pass."""

    def __init__(self, fleet: Fleet, reloader: Reloader) -> None:
        self._fleet = fleet
        self._reloader = reloader
        self._seen: str | None = None

    async def run(self) -> None:
        """Look again and again, as `supervisor.reload` says."""
        while True:
            rules = self._fleet.plan.supervisor.reload
            await asyncio.sleep(rules.interval / 1000)
            if self._fleet.plan.supervisor.reload.watch:
                await self.look()

    async def look(self) -> Outcome | None:
        """The outcome of a reload, if one was due."""
        now = await self._fingerprint()
        if now == self._seen and not self._reloader.transient:
            return None
        self._seen = await self._steady(now)
        return await self._reloader.reload(BY)

    async def reload(self, by: str, if_generation: int | None = None) -> Outcome:
        """Reload because a person says so."""
        now = await self._fingerprint()
        outcome = await self._reloader.reload(by, if_generation)
        if outcome.status != "conflict":
            self._seen = now
        return outcome

    async def rollback(self, to: int | None, by: str) -> Outcome:
        """Go back to an older generation; the content as it is now counts as seen."""
        now = await self._fingerprint()
        outcome = await self._reloader.rollback(to, by)
        if self._reloader.held:
            self._seen = now
        return outcome

    async def _steady(self, now: str) -> str:
        """Whoever writes is not done at once: wait until nothing changes any more."""
        for _ in range(STEADY_TRIES):
            await asyncio.sleep(STEADY_SECONDS)
            before, now = now, await self._fingerprint()
            if before == now:
                break
        return now

    async def _fingerprint(self) -> str:
        return await asyncio.to_thread(fingerprint, self._reloader.inputs)
