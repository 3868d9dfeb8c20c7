"""The leases of our workers: renewed on a clock of their own, whatever else there is to do and however slow it is."""

from __future__ import annotations

import asyncio
import contextlib

from pipeline.clock import boot_ms
from pipeline.errors import BrokerError
from pipeline.store.call import run
from pipeline.store.reader import server_time
from pipeline.store.wire import Connection
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.link import Link
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pulse import Pulse, Trust, longest_gap
from pipeline.supervisor.upkeep import Upkeep
from pipeline.units import words

LONGEST_PAUSE = 1.0


class Leases:
    """Renews them, and knows whether those of others may be taken at their word."""

    def __init__(self, fleet: Fleet, upkeep: Upkeep, link: Link, logs: Logs) -> None:
        self._fleet = fleet
        self._upkeep = upkeep
        self._link = link
        self._logs = logs
        self._trust = Trust(logs.say)
        self.pulse = Pulse(lambda: self._lease, self._overslept)
        self._lapse = False
        self.now = 0
        """The server's time when our leases were last renewed, ms: the one by which ends of leases are judged. A later
        one may be that of a clock that has jumped, which nobody has seen yet."""

    @property
    def lapse(self) -> bool:
        """Whether the end of a lease of others means that its holder is gone: only while we can renew our own."""
        return self._lapse and boot_ms() - self.pulse.renewed <= longest_gap(self._lease)

    @property
    def server_ms(self) -> int:
        """The server's time, as far as it is known from when our leases were last renewed."""
        return self.now + boot_ms() - self.pulse.renewed

    @property
    def _lease(self) -> int:
        return self._fleet.plan.supervisor.lease

    async def run(self) -> None:
        """Renew for as long as it runs, one round trip at a time."""
        while True:
            if self._link.connection is not None:
                # The beat tells of it.
                with contextlib.suppress(BrokerError):
                    await self.renew(self._link.connection)
            await asyncio.sleep(min(LONGEST_PAUSE, self._lease / 5000))

    async def renew(self, connection: Connection) -> None:
        """Say that our workers live, and look how the broker's clock goes. Raises BrokerError."""
        # From before the first word on: what is sent now may be carried out late, but never too early.
        begun = boot_ms()
        now, _ = await asyncio.gather(run(connection, server_time()), self._upkeep.renew(connection))
        self.pulse.renewed = begun
        self._lapse, amends = self._trust.look(connection, now, boot_ms() - begun, self._lease)
        self.now = now
        if amends:
            await self._upkeep.amend(connection)

    def _overslept(self, slept: int) -> None:
        """Our leases are over, and others may have our jobs: nobody here may go on with them."""
        told = words(slept // 1000 * 1000)
        self._logs.say(f"stood still for {told}: the leases are over, so its workers are killed")
        for child in self._fleet.children:
            child.kill()
