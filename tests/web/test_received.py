"""What the ingress counts outlives its process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipeline.broker import parse
from pipeline.errors import BrokerUnavailable
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.tally import totals
from pipeline.store.wire import Connection
from pipeline.web.received import Received


class Shop:
    """A shop whose broker may be away."""

    project = "shop"

    def __init__(self) -> None:
        self.received: dict[tuple[str, str], int] = {}
        self.reached: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self.reached is None:
            raise BrokerUnavailable("it is away")
        return self.reached


@pytest.fixture
async def connection(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(broker))
    yield connection
    connection.close()


async def test_each_delivery_is_told_once_also_after_the_broker_was_away(connection: Connection) -> None:
    shop: Any = Shop()
    received = Received(shop)
    shop.received = {("stripe", "created"): 2, ("", "not_found"): 1}
    await received.tell()
    shop.reached = connection
    shop.received["stripe", "created"] = 5
    await received.tell()
    await received.tell()
    assert await run(connection, totals("shop")) == {
        ("ingress", "stripe", "created"): 5,
        ("ingress", "(none)", "not_found"): 1,
    }
