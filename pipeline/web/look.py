"""The picture of the project, taken at most once a second however many ask, and sent to those who listen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from pipeline.crew import pool_of
from pipeline.errors import BrokerError
from pipeline.status import failures
from pipeline.status.failures import Failure
from pipeline.status.history import History
from pipeline.status.minutes import HOUR, Minute, look_back
from pipeline.status.snapshot import Snapshot, take
from pipeline.web.source import Source
from pipeline.web.veils import Veils

SECONDS = 1.0
KEPT_FAILURES = 20
WANTED_SECONDS = 10.0
"""So long after somebody asked it goes on looking: what happened lately is known then."""
log = logging.getLogger(__name__)


class Picture(Struct, frozen=True):
    """What was seen last. `problem` says why nothing newer could be; `minutes` are those of each queue's last hour,
    `stores` the queues that have no handler: jobs wait there for good."""

    snapshot: Snapshot
    history: History
    failures: list[Failure]
    minutes: dict[str, list[Minute]]
    problem: str | None = None
    stores: frozenset[str] = frozenset()


class Look:
    """Looks when somebody wants to know. `tell` gets every picture."""

    def __init__(self, source: Source, veils: Veils, wanted: Callable[[], bool]) -> None:
        self._source = source
        self._veils = veils
        self._wanted = wanted
        self._tell: Callable[[Picture], None] = lambda _: None
        self._picture: Picture | None = None
        self._history = History()
        self._failures: list[Failure] = []
        self._minutes: tuple[int, dict[str, list[Minute]]] = (0, {})
        self._taken = self._asked = 0.0
        self._taking: asyncio.Task[Picture] | None = None
        self._task: asyncio.Task[None] | None = None

    def on_picture(self, tell: Callable[[Picture], None]) -> None:
        """Who hears of every picture."""
        self._tell = tell

    async def newest(self) -> Picture:
        """A picture that is not older than a second; while the broker is away, the last there was. Raises BrokerError when
        there is none."""
        self._asked = time.monotonic()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._go_on())
        if self._picture is None or time.monotonic() - self._taken > SECONDS:
            return await self._take()
        return self._picture

    def close(self) -> None:
        """Look no more."""
        for task in (self._task, self._taking):
            if task is not None:
                task.cancel()

    async def _go_on(self) -> None:
        while self._wanted() or time.monotonic() - self._asked < WANTED_SECONDS:
            await asyncio.sleep(SECONDS)
            with contextlib.suppress(BrokerError):
                self._tell(await self._take())

    async def _take(self) -> Picture:
        """One at a time: who comes meanwhile gets the same."""
        if self._taking is None or self._taking.done():
            self._taking = asyncio.ensure_future(self._try())
        return await asyncio.shield(self._taking)

    async def _try(self) -> Picture:
        try:
            self._picture = await self._see()
        except BrokerError as error:
            if self._picture is None:
                raise
            last = self._picture
            self._picture = replace(last, problem=error.message)
        self._taken = time.monotonic()
        return self._picture

    async def _see(self) -> Picture:
        plan, connection = self._source.plan, self._source.connection
        snapshot = await take(connection, plan)
        before = self._picture.snapshot if self._picture else None
        changed = [name for name in snapshot.queues if _has_failures(before, snapshot, name)]
        if changed:
            for queue in changed:
                await self._veils.learn(queue)
            fresh = await failures.newest(connection, plan.name, changed, self._veils.seen)
            others = [one for one in self._failures if one.queue not in changed]
            self._failures = sorted([*fresh, *others], key=lambda one: -one.at)[:KEPT_FAILURES]
        minute = snapshot.at // 60_000
        if minute != self._minutes[0] or self._minutes[1].keys() != snapshot.queues.keys():
            kept = await asyncio.gather(
                *(look_back(connection, plan.name, name, HOUR) for name in snapshot.queues)
            )
            self._minutes = minute, dict(zip(snapshot.queues, kept, strict=True))
        self._history.add(snapshot)
        stores = frozenset(name for name in plan.queues if pool_of(plan, name) is None)
        return Picture(snapshot, self._history, self._failures, self._minutes[1], None, stores)


def _has_failures(before: Snapshot | None, now: Snapshot, queue: str) -> bool:
    """Whether something failed, died or was brought back since the last look."""
    new = now.queues[queue]
    old = before.queues.get(queue) if before else None
    if old is None:
        return bool(new.dead or new.delayed)
    return (old.failed_attempts_total, old.dead, old.delayed, old.redriven_total) != (
        new.failed_attempts_total,
        new.dead,
        new.delayed,
        new.redriven_total,
    )
