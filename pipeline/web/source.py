"""What the parts of the web process that run by themselves need of it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pipeline.plan import Plan
from pipeline.store.wire import Connection


class Source(Protocol):
    """The plan that runs, and the broker. `stopping` is set when the process begins to leave."""

    plan: Plan
    stopping: asyncio.Event

    @property
    def connection(self) -> Connection:
        """Raises BrokerError while the broker is away."""
