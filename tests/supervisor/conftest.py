"""A connection to the test's broker, and plans to work with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.broker import parse
from pipeline.plan import BrokerPlan, Plan, PoolPlan, SupervisorPlan
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.store.connect import connect
from pipeline.store.wire import Connection
from tests.supervisor.children import Office


@pytest.fixture
async def connection(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(broker))
    yield connection
    connection.close()


@pytest.fixture
def plan(root: Path) -> Plan:
    """One queue `a`, on an embedded broker."""
    queue = QueuePolicy("a", others=JobPolicy(handler="hands:work"))
    return Plan(
        "test",
        str(root),
        str(root / "p.yaml"),
        "h1",
        BrokerPlan(),
        SupervisorPlan(),
        None,
        {"a": queue},
        {"a": PoolPlan(("a",))},
    )


@pytest.fixture
def office() -> Office:
    """Who hires paper workers, and hears of their ends."""
    return Office()


@pytest.fixture
def lines() -> list[str]:
    """What a test's supervisor says."""
    return []
