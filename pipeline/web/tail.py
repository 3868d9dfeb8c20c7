"""What happens to jobs, followed for all who listen at once, by a thread that is there only while somebody does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec.structs import replace

from pipeline.errors import BrokerError
from pipeline.status.events import told
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run
from pipeline.store.events import Event, Missed, Watch
from pipeline.store.reader import JobView, queue_names
from pipeline.web.hands import Hands
from pipeline.web.hub import Hub
from pipeline.web.source import Source
from pipeline.web.veils import Veils

PAUSE_SECONDS = 1.0


class Tail:
    """Follows the queues that the hub's listeners name."""

    def __init__(self, source: Source, hub: Hub, veils: Veils, url: str) -> None:
        self._source = source
        self._hub = hub
        self._veils = veils
        self._hands = Hands(url, threads=1)
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Somebody may follow jobs now."""
        if self._hub.queues and (self._task is None or self._task.done()):
            self._task = asyncio.ensure_future(self._run())

    def close(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
        self._hands.close()

    async def _run(self) -> None:
        watch: Watch | None = None
        followed: list[str] = []
        while self._hub.queues and not self._source.stopping.is_set():
            try:
                wanted = await self._wanted()
                if watch is None:
                    watch = Watch(self._source.plan.name, wanted, self._seen)
                elif wanted != followed:
                    watch.follow(wanted)
                followed = wanted
                self._tell(await self._hands.run(partial(_read, watch)))
            except BrokerError:
                if watch is not None:
                    watch.lost()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _wanted(self) -> list[str]:
        """The queues that somebody follows, and are there."""
        names = await run(self._source.connection, queue_names(self._source.plan.name))
        known = {*self._source.plan.queues, *names}
        wanted = sorted(known if "*" in self._hub.queues else known & self._hub.queues)
        for queue in wanted:
            await self._veils.learn(queue)
        return wanted

    def _seen(self, job: JobView) -> JobView:
        """What is told of a job."""
        shown = self._veils.seen(job)
        return replace(shown, data=None, result=None, progress=None, logs=[], errors=())

    def _tell(self, happened: Iterable[Event | Missed]) -> None:
        for one in happened:
            if isinstance(one, Missed):
                self._hub.tell(one.queue, "missed", {"queue": one.queue})
            else:
                self._hub.tell(one.queue, "event", told(one))


def _read(watch: Watch, connection: BlockingConnection) -> list[Any]:
    if not watch.queues:
        time.sleep(PAUSE_SECONDS)
        return []
    watch.renew(connection, time.monotonic())
    return list(watch.read(connection))
