"""The web process's connection to the broker: opened anew, with growing pauses, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from pipeline.broker import parse
from pipeline.errors import BrokerError, BrokerUnavailable
from pipeline.store.connect import connect
from pipeline.store.silence import SILENCE_SECONDS, TOLD, Silence
from pipeline.store.wire import Connection

PAUSE, LONGEST_PAUSE = 0.05, 1.0
LOOK_SECONDS = 0.5
log = logging.getLogger(__name__)


class Line:
    """`connection` is the one that stands; `run` keeps it for as long as it runs. `up` is set while there is one."""

    def __init__(self, url: str) -> None:
        self._address = parse(url)
        self._connection: Connection | None = None
        self.up = asyncio.Event()
        self._trouble: BrokerError = BrokerUnavailable(
            "the broker was not asked yet", "try again in a moment"
        )

    @property
    def connection(self) -> Connection:
        """For `store.run`. Raises BrokerError, at once, while the broker is away."""
        if self._connection is None or self._connection.lost.done():
            raise self._trouble
        return self._connection

    async def run(self) -> None:
        """Connect, and connect anew whenever the connection is lost or silent."""
        pause = PAUSE
        while True:
            try:
                self._connection = connection = await connect(self._address)
            except BrokerError as error:
                self._trouble = error
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = PAUSE
            self.up.set()
            try:
                await self._stay(connection)
            finally:
                self.up.clear()
                connection.close()
            self._trouble = BrokerUnavailable(
                "the broker is away", "what runs goes on; try again in a moment"
            )

    async def _stay(self, connection: Connection) -> None:
        silence = Silence()
        while not connection.lost.done():
            await asyncio.wait({connection.lost}, timeout=LOOK_SECONDS)
            if silence.lasts(connection, time.monotonic()) > SILENCE_SECONDS:
                log.warning("%s: connecting anew", TOLD)
                return
