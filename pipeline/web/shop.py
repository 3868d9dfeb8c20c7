"""What handlers need: the plan that runs, the broker, and the supervisor's word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property

from msgspec import Struct

from pipeline.async_client import AsyncClient
from pipeline.clock import now_ms
from pipeline.plan import HttpPlan, Plan, WebPlan
from pipeline.store.wire import Connection
from pipeline.web.access import Access
from pipeline.web.desk import Desk
from pipeline.web.kept import Kept
from pipeline.web.line import Line


class Standing(Struct, frozen=True):
    """The supervisor's word: why jobs are not worked, or None. `at` is a monotonic time in ms."""

    at: int
    reason: str | None


class Shop:
    """One for the process. `clock` gives ms since 1970; `stopping` is set when the process begins to leave."""

    def __init__(self, web: WebPlan, clock: Callable[[], int] = now_ms) -> None:
        self.web = web
        self.clock = clock
        self.plan: Plan = web.plan
        self.generation = web.generation
        self.line = Line(web.broker)
        self.client = AsyncClient(web.broker, name=web.plan.name)
        self.standing: Standing | None = None
        self.received: dict[tuple[str, str], int] = {}
        """How many requests came in for a webhook ("" for none), by what became of them: (webhook, outcome) -> count."""
        self.stopping = asyncio.Event()
        self.desk = Desk(self, web.broker, clock)
        self.kept = Kept()

    @property
    def project(self) -> str:
        """The prefix of every key."""
        return self.plan.name

    @property
    def http(self) -> HttpPlan:
        """What the file says of this process; it changes only with a restart."""
        return self.web.http

    @property
    def connection(self) -> Connection:
        """For `store.run`. Raises BrokerError, at once, while the broker is away."""
        return self.line.connection

    @cached_property
    def access(self) -> Access:
        """Who may come in. Raises StartError when the state folder cannot be used."""
        return Access(self.http, self.plan.root, self.project, self.clock, lambda: self.connection)
