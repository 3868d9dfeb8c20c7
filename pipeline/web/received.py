"""What the ingress counts, added once a second to the project's totals in the broker: so that it outlives this process."""

from __future__ import annotations

import asyncio
import contextlib

from pipeline.errors import BrokerError
from pipeline.store.tally import Tally
from pipeline.web.shop import Shop

SECONDS = 1.0
NOBODY = "(none)"
"""Instead of a webhook's name: there is none at that path."""


class Received:
    """One for the process."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._tally = Tally(shop.project)
        self._told: dict[tuple[str, str], int] = {}

    async def run(self) -> None:
        """Tell the broker, over and over, until cancelled."""
        while True:
            await asyncio.sleep(SECONDS)
            await self.tell()

    async def tell(self) -> None:
        """Add what came since the last time; while the broker is away it is added later."""
        now = dict(self._shop.received)
        for (webhook, outcome), count in now.items():
            more = count - self._told.get((webhook, outcome), 0)
            if more:
                self._tally.count("ingress", webhook or NOBODY, outcome, by=more)
        self._told = now
        with contextlib.suppress(BrokerError):
            await self._tally.flush(self._shop.connection)
