"""A worker that goes ahead: it imports the handlers of a new plan, and takes no job before the plan is applied."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping

from pipeline.errors import PipelineError
from pipeline.supervisor.child import Child, Failed, Parent
from pipeline.supervisor.pool import START_MS
from pipeline.units import words

STARTS = 2 * (os.cpu_count() or 1)


class CannotStart(PipelineError):
    """The handlers of a new plan cannot be imported; `help` holds the traceback."""

    code = "cannot_start"


class Canary:
    """One such worker, as its parent until it is taken over by a pool."""

    def __init__(self, pool: str, start: Callable[[Parent], Child], import_timeout: int) -> None:
        self._pool = pool
        self._start = start
        self._limit = import_timeout
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.child: Child | None = None

    async def prove(self) -> Child:
        """The worker, started, once it has imported everything. Raises CannotStart."""
        try:
            child = self.child = self._start(self)
        except OSError as error:
            raise CannotStart(f"{self._pool} cannot start: {error.strerror}") from None
        try:
            async with asyncio.timeout((self._limit + START_MS) / 1000):
                await asyncio.shield(self._ready)
        except TimeoutError:
            failed = Failed(f"its imports did not end within {words(self._limit)}")
        else:
            if child.code is None:
                return child
            failed = child.failed or Failed(child.describe_end())
        raise CannotStart(f"{self._pool} cannot start: {failed.reason}", failed.traceback.strip())

    def on_loaded(self) -> None:
        """It has imported everything."""
        self._done()

    def on_ready(self) -> None:
        """It takes no jobs yet."""

    def on_denied(self, reason: str) -> None:
        """It does not speak to the broker yet."""

    def on_gone(self, child: Child) -> None:
        """It ended; it never had a job."""
        self._done()
        child.forget()

    def on_retiring(self, child: Child, reason: str) -> None:
        """It runs no job whose time limit it could pass."""

    def _done(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)


async def rehearse(canaries: Mapping[str, Canary]) -> dict[str, Child]:
    """The workers by their pool, once all are ready. Raises CannotStart, and then none is left."""
    # Hundreds at once would share the processors until none is in time.
    room = asyncio.Semaphore(STARTS)

    async def prove(canary: Canary) -> Child:
        async with room:
            return await canary.prove()

    tasks = [asyncio.create_task(prove(canary)) for canary in canaries.values()]
    try:
        found = await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        dismiss(canary.child for canary in canaries.values() if canary.child is not None)
        raise
    return dict(zip(canaries, found, strict=True))


def dismiss(children: Iterable[Child]) -> None:
    """End workers that are not needed after all."""
    for child in children:
        if child.state != "gone":
            child.kill()
