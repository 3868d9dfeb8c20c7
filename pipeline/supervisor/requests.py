"""What people ask of a running supervisor, by commands and by signals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from pipeline.control import Outcome, Request
from pipeline.errors import UnknownQueue
from pipeline.supervisor.control import Say
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.ladder import RUNNING, Ladder
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.reload import Reloader
from pipeline.supervisor.watch import Watcher

LOOK_SECONDS = 0.02
TELL_SECONDS = 5.0


class Requests:
    """Carries out requests. `ring` wakes the loop that waits for the end, `publish` says in the broker how we stand."""

    def __init__(
        self,
        fleet: Fleet,
        reloader: Reloader,
        watcher: Watcher,
        ladder: Ladder,
        logs: Logs,
        ring: Callable[[], None],
        publish: Callable[[], Awaitable[None]],
    ) -> None:
        self._fleet = fleet
        self._reloader = reloader
        self._watcher = watcher
        self._ladder = ladder
        self._logs = logs
        self._ring = ring
        self._publish = publish

    async def obey(self, request: Request, say: Say) -> Any:
        """The answer. Raises PipelineError with a refusal."""
        match request.do:
            case "plan":
                return msgspec.to_builtins(self._fleet.plan)
            case "reload":
                return await self._over(self._watcher.reload(request.by, request.if_generation), say)
            case "rollback":
                return await self._over(self._watcher.rollback(request.to, request.by), say)
            case "restart":
                return await self._over(self.restart(request.queues, request.by), say)
            case "stop":
                self._ladder.drain(f"stop by {request.by}")
                self._ring()
                return await self._end(say)
            case "quiet":
                return self.quiet(f"quiet by {request.by}: no new jobs until resume")
            case "resume":
                return self.resume()

    async def restart(self, queues: list[str] | None, by: str) -> Outcome:
        """New processes for the pools of these queues, as far as they are run here. Raises UnknownQueue."""
        known = self._fleet.plan.queues
        unknown = [queue for queue in queues or () if queue not in known]
        if unknown:
            raise UnknownQueue(f"there is no queue {unknown[0]!r}", f"there are {', '.join(known)}")
        pools = {queue: pool.name for pool in self._fleet.serving for queue in pool.queues}
        here = {pools[queue] for queue in queues or pools if queue in pools}
        return await self._reloader.restart(here, by)

    def quiet(self, why: str) -> dict[str, bool]:
        """Take no new jobs."""
        self._logs.say(why)
        self._fleet.hush()
        return {"quiet": True}

    def resume(self) -> dict[str, bool]:
        """Take jobs again."""
        self._fleet.resume()
        return {"quiet": False}

    async def _over(self, change: Any, say: Say) -> Outcome:
        """The outcome, once the workers that run are those of the new plan."""
        outcome: Outcome = await change
        await self._publish()
        for line in outcome.changes:
            say(line)
        waited = 0.0
        while not all(pool.settled_down for pool in self._fleet.serving) and self._ladder.step == RUNNING:
            await asyncio.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
            if waited >= TELL_SECONDS:
                waited = 0.0
                late = [pool.name for pool in self._fleet.serving if not pool.settled_down]
                say(f"new workers start: {', '.join(late)}")
        return outcome

    async def _end(self, say: Say) -> None:
        """Until the process ends, which ends the connection."""
        while True:
            busy = sum(child.busy for child in self._fleet.children)
            if busy:
                say(f"{busy} jobs still run")
            await asyncio.sleep(TELL_SECONDS)
