"""A worker: the pools of one process, under its supervisor's orders. None of them goes on without the others."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from pipeline.errors import LeaseLost, StartError
from pipeline.plan import WorkerPlan
from pipeline.policy import QueuePolicy
from pipeline.worker.attempt import Handlers
from pipeline.worker.board import Board
from pipeline.worker.pool import Pool

DRAINED, RECLAIMED = 0, 75
log = logging.getLogger("pipeline.worker")


class Worker:
    """One pool for each of `queues`, with its board. `tell` sends an event to the supervisor."""

    def __init__(
        self, plan: WorkerPlan, queues: list[Handlers], boards: list[Board], tell: Callable[..., None]
    ) -> None:
        self._stop_timeout = plan.stop_timeout
        self._tell = tell
        self._begins: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._unserved = len(queues)
        self._denied = False
        self.pools = {
            handlers.table.queue.name: Pool(plan, handlers, board, self)
            for handlers, board in zip(queues, boards, strict=True)
        }
        if not plan.waits:
            self._begin(begins=True)

    async def loaded(self) -> None:
        """Wait for handlers that load elsewhere. Raises StartError when they cannot."""
        for pool in self.pools.values():
            await pool.loaded()

    async def close(self) -> None:
        """Let the processes of slots go, within `stop_timeout`."""
        await asyncio.gather(*(pool.close(self._stop_timeout / 1000) for pool in self.pools.values()))

    async def serve(self) -> int:
        """Work from `go` on until told to stop: the exit code."""
        if await self._begins:
            runs = [asyncio.ensure_future(pool.run()) for pool in self.pools.values()]
            await asyncio.wait(runs, return_when=asyncio.FIRST_EXCEPTION)
            for pool, run in zip(self.pools.values(), runs, strict=True):
                if not run.done():
                    pool.release()
            for end in await asyncio.gather(*runs, return_exceptions=True):
                if isinstance(end, LeaseLost):
                    log.error("%s", end)
                    return RECLAIMED
                if end is not None:
                    raise end
        self._tell("drained")
        return DRAINED

    def obey(self, order: dict[str, Any]) -> None:
        """Do what the supervisor says."""
        match order["do"]:
            case "go":
                self._begin(begins=True)
            case "policy":
                self._change(order)
            case "quiet":
                for pool in self.pools.values():
                    pool.hush()
            case "drain":
                self._stop(order["timeout"])
            case "release":
                self._begin(begins=False)
                for pool in self.pools.values():
                    pool.release()
            case "stacks":
                faulthandler.dump_traceback(all_threads=True)

    def retire(self, reason: str) -> None:
        """This process must be replaced: end what runs, and leave."""
        if not any(pool.quiet for pool in self.pools.values()):
            self._tell("retiring", reason=reason)
        self._stop(self._stop_timeout)

    def serves(self) -> None:
        """One more queue is served; once all are, this worker does what it is there for."""
        self._unserved -= 1
        if not self._unserved:
            self._tell("serving")

    def denied(self, reason: str) -> None:
        """The broker does not let us in: the supervisor decides what follows."""
        if not self._denied:
            self._denied = True
            self._tell("denied", reason=reason)

    def _begin(self, *, begins: bool) -> None:
        if not self._begins.done():
            self._begins.set_result(begins)

    def _stop(self, timeout: int | None) -> None:
        self._begin(begins=False)
        for pool in self.pools.values():
            pool.stop(timeout)

    def _change(self, order: dict[str, Any]) -> None:
        """Go by new policies: all of them, or none when one cannot be."""
        try:
            self._apply(msgspec.convert(order["queues"], tuple[QueuePolicy, ...]))
        except StartError as error:
            self._tell("failed_policy", reason=str(error))
            return
        except BaseException as error:  # noqa: BLE001 - an import of the user's code may raise anything
            self._tell("failed_policy", reason=f"{type(error).__name__}: {error}")
            return
        self._stop_timeout = order["stop_timeout"]
        self._tell("applied")

    def _apply(self, policies: Iterable[QueuePolicy]) -> None:
        ours = [(pool, policy) for policy in policies if (pool := self.pools.get(policy.name))]
        for pool, table in [(pool, pool.prepare(policy)) for pool, policy in ours]:
            pool.apply(table)
