"""What a supervisor counts in memory reaches the broker once, whatever happens in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.broker import parse
from pipeline.errors import BrokerError
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.tally import totals
from pipeline.store.wire import Connection
from pipeline.supervisor.totals import Totals


@pytest.fixture
async def connection(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(broker))
    yield connection
    connection.close()


class Stage:
    """A supervisor of the pool `emails`, as far as it counts."""

    def __init__(self) -> None:
        self.pool = SimpleNamespace(name="emails", replaced=Counter[str]())
        self.fleet: Any = SimpleNamespace(plan=SimpleNamespace(name="shop"), pools=[self.pool])
        self.alerts: Any = SimpleNamespace(sent=Counter[tuple[str, ...]]())
        self.reloader: Any = SimpleNamespace(applied=0, failed=0)
        self.totals = self._totals(self.fleet, self.alerts, self.reloader)

    def _totals(self, *parts: Any) -> Totals:
        return Totals(*parts)


async def test_only_what_came_since_the_last_beat_is_added(connection: Connection) -> None:
    stage = Stage()
    stage.pool.replaced["died"] += 2
    stage.alerts.sent["alerts", "oncall", "sent"] += 1
    stage.reloader.applied = 1
    for _ in range(3):
        await stage.totals.tell(connection)
    stage.pool.replaced["died"] += 1
    await stage.totals.tell(connection)
    assert await run(connection, totals("shop")) == {
        ("restarts", "emails", "died"): 3,
        ("alerts", "oncall", "sent"): 1,
        ("reloads", "applied"): 1,
    }


async def test_a_pool_that_is_made_anew_counts_on(connection: Connection) -> None:
    stage = Stage()
    stage.pool.replaced["died"] = 2
    await stage.totals.tell(connection)
    stage.fleet.pools = [SimpleNamespace(name="emails", replaced=Counter({"died": 1}))]
    await stage.totals.tell(connection)
    assert await run(connection, totals("shop")) == {("restarts", "emails", "died"): 3}


async def test_what_came_while_the_broker_was_away_is_added_later(
    connection: Connection, broker: str
) -> None:
    stage = Stage()
    gone = await connect(parse(broker))
    gone.close()
    for count in (1, 2):
        stage.pool.replaced["died"] = count
        with pytest.raises(BrokerError):
            await stage.totals.tell(gone)
    await stage.totals.tell(connection)
    assert await run(connection, totals("shop")) == {("restarts", "emails", "died"): 2}
