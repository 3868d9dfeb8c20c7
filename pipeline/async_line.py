"""The one connection that the coroutines of a client share."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TypeVar

from pipeline.broker import Address
from pipeline.errors import BrokerUnavailable, Unconfirmed
from pipeline.producer import FIRST_PAUSE, LONGEST_PAUSE
from pipeline.store.call import Call, answer
from pipeline.store.confirm import Confirm, Confirming
from pipeline.store.connect import connect
from pipeline.store.slots import key_of
from pipeline.store.wire import Command, Connection, Reply

Result = TypeVar("Result")


class AsyncLine:
    """Of one loop. Calls that may be repeated are, until they are answered or `timeout` seconds are over."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._confirming: dict[str | bytes | None, Confirming] = {}

    def close(self) -> None:
        """Hang up; the next call opens another connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def post_now(self, command: Command, confirm: Confirm | None) -> asyncio.Future[Reply] | None:
        """Have a command leave with this tick of the loop; None when there is no connection yet. For `run`."""
        connection = self._connection
        if connection is None or connection.lost.done():
            return None
        posted = self._post(connection, command, confirm)
        connection.flush()
        return posted

    async def run(
        self,
        call: Call[Result],
        confirm: Confirm | None = None,
        posted: asyncio.Future[Reply] | None = None,
    ) -> Result:
        """Run a call. `posted`: it is under way for the first time. Raises BrokerUnavailable, BrokerRefused, LeaseLost."""
        end, pause = time.monotonic() + self._timeout, FIRST_PAUSE
        trouble: BrokerUnavailable | None = None
        asked = self._connection
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    try:
                        if posted is None:
                            asked = await self._open()
                            posted = self._post(asked, call.command, confirm)
                        return await answer(call, posted)
                    except BrokerUnavailable as error:
                        posted = None
                        trouble = trouble if isinstance(trouble, Unconfirmed) else error
                        doubt(asked, call.command)
                        if time.monotonic() + pause > end:
                            raise trouble from None
                        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                        pause = min(pause * 2, LONGEST_PAUSE)
        except TimeoutError:
            doubt(asked, call.command)
            raise trouble or BrokerUnavailable(
                f"no answer from the broker at {self._address} in {self._timeout:g} s"
            ) from None

    def _post(
        self, connection: Connection, command: Command, confirm: Confirm | None
    ) -> asyncio.Future[Reply]:
        if confirm is None:
            return connection.post(command)
        key = key_of(command)
        asks = self._confirming.get(key)
        if asks is None or asks.connection is not connection or asks.confirm != confirm:
            asks = self._confirming[key] = Confirming(connection, confirm, self._timeout, key)
        return asks.post(command)

    async def _open(self) -> Connection:
        if self._connection is not None and not self._connection.lost.done():
            return self._connection
        async with self._opening:
            if self._connection is None or self._connection.lost.done():
                self._connection = await connect(self._address, self._timeout)
            return self._connection


def doubt(connection: Connection | None, command: Command) -> None:
    """The next call finds its way anew: this one may lead to a replica, or nowhere."""
    if connection is not None:
        connection.doubt(command)
