"""The way to flows, for workers that may never have one: what it needs is imported with the first job of a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.job import Job
from pipeline.store.store import Move
from pipeline.worker.attempt import Attempt, Refused
from pipeline.worker.ledger import Ledger
from pipeline.worker.link import Link

if TYPE_CHECKING:
    from pipeline.worker.relay import Kicked, Relay

MOST = 512


class LateRelay:
    """A Relay that is made when it is needed. The ledger gives it the ends of jobs that are steps of a flow."""

    def __init__(self, project: str, link: Link, ledger: Ledger, pool: Kicked) -> None:
        self._given = (project, link, ledger, pool)
        self._relay: Relay | None = None
        ledger.relay = self._take

    @property
    def count(self) -> int:
        """How many jobs have ended and wait for their flow: so many slots are free already, within reason."""
        return min(self._relay.count, MOST) if self._relay is not None else 0

    async def ask(self, job: Job[Any], kind: str) -> Any:
        """What Job.needs and Job.failures say."""
        return await self._made().ask(job, kind)

    def _take(self, move: Move | None, attempt: Attempt | Refused) -> None:
        self._made().take(move, attempt)

    def _made(self) -> Relay:
        if self._relay is None:
            from pipeline.worker.relay import Relay

            self._relay = Relay(*self._given)
        return self._relay
