"""From the plan that runs to another one, as a transaction: prove, commit once, then drain what is old.

Whatever fails before the commit leaves everything as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from pipeline.diff import Change, diff, restart_required, rolling_pools
from pipeline.errors import BrokerError, PipelineError, StartError
from pipeline.plan import Plan
from pipeline.store.history import Cause
from pipeline.store.wire import Connection
from pipeline.supervisor.canary import CannotStart, dismiss
from pipeline.supervisor.child import Child
from pipeline.supervisor.fleet import Fleet, choose
from pipeline.supervisor.link import Link
from pipeline.supervisor.locks import QueueLocks
from pipeline.supervisor.publish import Publisher

PUBLISH_SECONDS = 10.0
APPLY_SECONDS = 5.0


class Rejected(PipelineError):
    """What runs stays. `transient`: what stood in the way may pass by itself."""

    code = "rejected"

    def __init__(self, message: str, help: str = "", *, transient: bool = False) -> None:
        super().__init__(message, help)
        self.transient = transient


class NeedsRestart(PipelineError):
    """The plan changes what a running supervisor cannot change."""

    code = "needs_restart"


class Transition:
    """Carries a supervisor over to another plan."""

    def __init__(
        self,
        fleet: Fleet,
        publisher: Publisher,
        link: Link,
        locks: QueueLocks,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._fleet = fleet
        self._publisher = publisher
        self._link = link
        self._locks = locks
        self._is_stopping = is_stopping

    async def make(self, plan: Plan, also: Collection[str], cause: Cause) -> tuple[Change, ...] | None:
        """Go over to `plan`; the pools in `also` are replaced even if nothing changed for them.

        The result is what changed, or None when nothing did. Raises Rejected or NeedsRestart, and then what ran
        before runs as before.
        """
        running = self._fleet.plan
        changes = diff(running, plan)
        check(changes)
        roll = {*rolling_pools(changes, running, plan), *also}
        if not changes and not roll and plan.hash == running.hash:
            self._fleet.plan = plan
            return None
        self._connection()
        await self._fleet.make_room(plan, roll)
        try:
            canaries = await self._prove(plan, roll)
            async with self._publisher.changing:
                told = await self._commit(plan, canaries, cause)
        finally:
            self._fleet.coming.clear()
            self._locks.keep(self._fleet.held_queues)
        if told:
            await asyncio.wait(told, timeout=APPLY_SECONDS)
        return changes

    async def _commit(
        self, plan: Plan, canaries: dict[str, Child], cause: Cause
    ) -> list[asyncio.Future[None]]:
        try:
            await self._publish(plan, cause)
        except BaseException:
            dismiss(canaries.values())
            raise
        if self._is_stopping():
            # It is published, and counts from the next start on.
            dismiss(canaries.values())
            return []
        return self._fleet.commit(plan, canaries)

    async def _prove(self, plan: Plan, roll: Collection[str]) -> dict[str, Child]:
        """Locks on the queues that are new, and a worker of each changed pool that has imported its handlers."""
        try:
            self._fleet.coming.update(choose(plan, self._fleet.named_in(plan)))
            self._locks.hold(self._fleet.coming)
            return await self._fleet.rehearse(plan, roll)
        except (StartError, CannotStart) as error:
            raise Rejected(error.message, error.help) from None

    async def _publish(self, plan: Plan, cause: Cause) -> None:
        connection = self._connection()
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._publisher.commit(connection, plan, cause)
        except (BrokerError, TimeoutError) as error:
            self._link.doubt()
            reason = error.message if isinstance(error, BrokerError) else "the broker does not answer"
            raise Rejected(reason, transient=True) from None

    def _connection(self) -> Connection:
        """What is needed to publish anything."""
        if self._is_stopping():
            raise Rejected("the supervisor is stopping")
        if self._link.connection is None:
            raise Rejected("the broker is away", transient=True)
        return self._link.connection


def check(changes: tuple[Change, ...]) -> None:
    """Raises NeedsRestart when a running supervisor cannot make these changes."""
    if restart_required(changes):
        paths = ", ".join(change.path for change in changes if change.change_class == "restart")
        raise NeedsRestart(
            f"{paths} needs a restart of the supervisor", "stop it, and start `pipeline run` again"
        )
