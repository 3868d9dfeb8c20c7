"""What this supervisor counts that belongs to no queue, added to the project's totals in the broker: workers that were
replaced, reloads, alerts."""

from __future__ import annotations

from collections import Counter

from pipeline.store.tally import Tally
from pipeline.store.wire import Connection
from pipeline.supervisor.alerts import Alerts
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.reload import Reloader


class Totals:
    """Looked at once in every beat. What others count in memory only rises; the rest goes to the broker."""

    def __init__(self, fleet: Fleet, alerts: Alerts, reloader: Reloader) -> None:
        self._fleet = fleet
        self._alerts = alerts
        self._reloader = reloader
        self._told: Counter[tuple[str, ...]] = Counter()
        self._tally = Tally(fleet.plan.name)

    async def tell(self, connection: Connection) -> None:
        """Add what came since the last time. Raises BrokerError; the next one adds it then."""
        now = self._now()
        for labels, count in now.items():
            # A pool that is made anew counts from nothing.
            more = count - self._told[labels] if count >= self._told[labels] else count
            if more:
                self._tally.count(*labels, by=more)
        self._told = now
        await self._tally.flush(connection)

    def _now(self) -> Counter[tuple[str, ...]]:
        found: Counter[tuple[str, ...]] = Counter(self._alerts.sent)
        found["reloads", "applied"] = self._reloader.applied
        found["reloads", "failed"] = self._reloader.failed
        for pool in self._fleet.pools:
            for reason, count in pool.replaced.items():
                found["restarts", pool.name, reason] += count
        return found
