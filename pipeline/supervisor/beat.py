"""What a supervisor does once a second: its processes, the jobs of the dead, what people and newer files say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.errors import BrokerDenied, BrokerError, BrokerUnavailable, BrokerUnfit
from pipeline.status.supervisors import SupervisorState
from pipeline.store import layout
from pipeline.store.call import run
from pipeline.store.keys import looked
from pipeline.store.reader import server_time
from pipeline.store.wire import Connection
from pipeline.supervisor.alerts import Alerts
from pipeline.supervisor.drift import Drift
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.flows import FlowUpkeep
from pipeline.supervisor.leases import Leases
from pipeline.supervisor.link import Link
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.minutes import Minutes
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.report import with_jobs
from pipeline.supervisor.totals import Totals
from pipeline.supervisor.upkeep import Upkeep

SECONDS = 1.0


class Beat:
    """`record` is what the broker is told of us; `on_denied` hears why we cannot go on with this broker."""

    def __init__(
        self,
        fleet: Fleet,
        upkeep: Upkeep,
        alerts: Alerts,
        leases: Leases,
        drift: Drift,
        publisher: Publisher,
        link: Link,
        logs: Logs,
        totals: Totals,
        record: Callable[[], SupervisorState],
        on_denied: Callable[[BrokerError], None],
    ) -> None:
        self._fleet = fleet
        self._minutes = Minutes(fleet)
        self._upkeep = upkeep
        self._alerts = alerts
        self._leases = leases
        self._drift = drift
        self._publisher = publisher
        self._link = link
        self._logs = logs
        self._totals = totals
        self._record = record
        self._on_denied = on_denied
        self.flows = FlowUpkeep(logs)
        self._trouble = ""

    async def run(self, own: Callable[[], None]) -> None:
        """Beat for as long as it runs. `own` is what is to be done without the broker."""
        while True:
            own()
            if (connection := self._link.connection) is not None:
                await self._try(connection)
            await asyncio.sleep(SECONDS)

    async def _try(self, connection: Connection) -> None:
        try:
            await self._tend(connection)
            self._trouble = ""
        except (BrokerDenied, BrokerUnfit) as error:
            self._on_denied(error)
        except BrokerError as error:
            if not connection.lost.done():
                self._tell(error)

    async def _tend(self, connection: Connection) -> None:
        upkeep = self._upkeep
        await upkeep.bury(connection)
        await upkeep.adopt(connection, self._leases.now, lapsed=self._leases.lapse)
        await upkeep.relieve(connection)
        await upkeep.start_alone(connection)
        record = self._record()
        if record.state != "stopping":
            await self._drift.look(connection)
        # Before anything is trimmed: what is about to go is a matter of theirs.
        await self._alerts.look(connection)
        # The next version may have come beside us, and the one after it may have followed.
        layout.check(await run(connection, layout.of(self._fleet.plan.name)), self._fleet.plan.name)
        now = await run(connection, server_time())
        await upkeep.sweep(connection, now)
        await self.flows.tend(connection, self._fleet.plan)
        await self._minutes.keep(connection, now)
        if await connection.call(("EXISTS", looked(self._fleet.plan.name))):
            record = with_jobs(record, self._fleet, now)
        await self._totals.tell(connection)
        await self._publisher.write(connection, self._fleet.plan, record)

    def _tell(self, error: BrokerError) -> None:
        if error.message != self._trouble:
            self._trouble = error.message
            self._logs.say(error.message)
        if isinstance(error, BrokerUnavailable):
            # It answers, but as no primary does: the way to it may lead elsewhere by now.
            self._link.doubt()
