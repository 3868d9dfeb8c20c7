"""A supervisor keeps the totals of its queues when a minute begins, and of one that is new at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.broker import parse
from pipeline.store import keys
from pipeline.store.connect import connect
from pipeline.store.wire import Connection
from pipeline.supervisor.minutes import Minutes


@pytest.fixture
async def connection(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(broker))
    yield connection
    connection.close()


async def kept(connection: Connection, queue: str) -> int:
    return int(await connection.call(("LLEN", keys.minutes(keys.base("shop", queue)))))


async def test_totals_are_kept_once_a_minute_and_of_a_new_queue_at_once(connection: Connection) -> None:
    fleet: Any = SimpleNamespace(
        plan=SimpleNamespace(name="shop"), pools=[SimpleNamespace(policies={"a": None})]
    )
    minutes = Minutes(fleet)
    await minutes.keep(connection, 60_000)
    assert await kept(connection, "a") == 1
    await connection.call(("DEL", keys.minutes(keys.base("shop", "a"))))
    await minutes.keep(connection, 119_999)
    assert await kept(connection, "a") == 0
    await minutes.keep(connection, 120_000)
    assert await kept(connection, "a") == 1
    fleet.pools[0].policies["b"] = None
    await minutes.keep(connection, 120_001)
    assert await kept(connection, "b") == 1
