"""What a live view is fed with: a snapshot now and then, over a connection that is opened again when it is lost."""

from __future__ import annotations

import asyncio
import time

from msgspec import Struct
from msgspec.structs import replace

from pipeline.broker import parse
from pipeline.errors import BrokerError
from pipeline.plan import Plan
from pipeline.state import broker_url
from pipeline.status.disk import Disk
from pipeline.status.failures import Failure, newest
from pipeline.status.snapshot import Snapshot, take
from pipeline.store.connect import connect
from pipeline.store.wire import Connection

CONNECT_SECONDS = 1.0
DISK_SECONDS = 1.0
FAILURES = 20


class Look(Struct, frozen=True):
    """What there is to show: the last snapshot that could be taken, and why there is no newer one."""

    snapshot: Snapshot | None
    failures: list[Failure]
    problem: str | None = None


class Feed:
    """Looks at a project again and again; `plan` and `file_error` are what its file says at first."""

    def __init__(self, plan: Plan, file_error: str | None = None) -> None:
        self._plan = plan
        self._disk = Disk(plan, file_error)
        self._next_disk = time.monotonic() + DISK_SECONDS
        self._connection: Connection | None = None
        self._last: Snapshot | None = None
        self._failures: list[Failure] = []

    async def look(self) -> Look:
        """Take a picture. A broker that is away is a problem to show, never an error."""
        if time.monotonic() > self._next_disk:
            await asyncio.to_thread(self._disk.look)
            self._next_disk = time.monotonic() + DISK_SECONDS
        try:
            connection = await self._connected()
            # An edit moves neither the project nor its broker before the next start.
            plan = replace(self._disk.plan, name=self._plan.name, broker=self._plan.broker)
            snapshot = await take(connection, plan, self._disk.error)
            await self._look_for_failures(connection, snapshot)
        except BrokerError as error:
            self.close()
            return Look(self._last, self._failures, self._problem(error))
        self._last = snapshot
        return Look(snapshot, self._failures)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _problem(self, error: BrokerError) -> str:
        if self._plan.broker.url == "embedded":
            return "the embedded broker does not run"
        return error.message

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.lost.done():
            self._connection = await connect(parse(broker_url(self._plan)), CONNECT_SECONDS)
        return self._connection

    async def _look_for_failures(self, connection: Connection, snapshot: Snapshot) -> None:
        """Ask only queues where something failed, died or was brought back since the last look."""
        queues = [name for name in snapshot.queues if self._has_changed(snapshot, name)]
        if queues:
            fresh = await newest(connection, self._plan.name, queues)
            others = [failure for failure in self._failures if failure.queue not in queues]
            self._failures = sorted([*fresh, *others], key=lambda failure: -failure.at)[:FAILURES]

    def _has_changed(self, snapshot: Snapshot, queue: str) -> bool:
        new = snapshot.queues[queue]
        old = self._last.queues.get(queue) if self._last else None
        if old is None:
            return bool(new.dead or new.delayed)
        before = (old.failed_attempts_total, old.dead, old.delayed, old.redriven_total)
        return before != (new.failed_attempts_total, new.dead, new.delayed, new.redriven_total)
