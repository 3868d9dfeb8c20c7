"""Totals of a project: counted in memory, added up in the broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pipeline.broker import parse
from pipeline.errors import BrokerError
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.tally import Tally, totals
from pipeline.store.wire import Connection


@pytest.fixture
async def connection(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(broker))
    yield connection
    connection.close()


async def test_the_totals_of_several_processes_are_added_up(connection: Connection) -> None:
    for _ in range(2):
        tally = Tally("shop")
        tally.count("ingress", "stripe", "202", by=3)
        tally.count("reloads", "applied")
        await tally.flush(connection)
        await tally.flush(connection)
    found = await run(connection, totals("shop"))
    assert found == {("ingress", "stripe", "202"): 6, ("reloads", "applied"): 2}
    assert await run(connection, totals("other")) == {}


async def test_what_the_broker_did_not_take_is_added_later(connection: Connection, broker: str) -> None:
    tally = Tally("shop")
    tally.count("ingress", "stripe", "202")
    gone = await connect(parse(broker))
    gone.close()
    with pytest.raises(BrokerError):
        await tally.flush(gone)
    tally.count("ingress", "stripe", "202")
    await tally.flush(connection)
    assert await run(connection, totals("shop")) == {("ingress", "stripe", "202"): 2}
