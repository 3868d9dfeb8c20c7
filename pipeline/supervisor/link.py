"""The supervisor's connection to the broker: opened anew, with growing pauses, for as long as it takes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from pipeline.broker import parse
from pipeline.clock import monotonic_ms
from pipeline.errors import BrokerDenied, BrokerError, BrokerUnavailable, BrokerUnfit
from pipeline.store.connect import connect
from pipeline.store.silence import SILENCE_SECONDS, TOLD, Silence
from pipeline.store.wire import Connection
from pipeline.supervisor.embedded import Embedded
from pipeline.supervisor.logs import Logs

PAUSE, LONGEST_PAUSE = 0.05, 1.0
LOOK_SECONDS = 0.5


class Link:
    """`connection` is None while the broker is away. `on_up` is awaited with every new connection; `on_denied` is told
    why we cannot go on with this broker, and then no further try is made.

    An embedded broker is looked after too: one of our own that died is started again, and one whose owner
    left is taken over.
    """

    def __init__(
        self,
        url: str,
        embedded: Embedded | None,
        logs: Logs,
        on_up: Callable[[Connection], Awaitable[None]],
        on_denied: Callable[[BrokerError], None],
    ) -> None:
        self._address = parse(url)
        self._embedded = embedded
        self._logs = logs
        self._on_up = on_up
        self._on_denied = on_denied
        self._task: asyncio.Task[None] | None = None
        self.connection: Connection | None = None

    async def open(self, patience: float) -> Connection:
        """The first connection. Raises BrokerUnavailable when there is none within `patience` seconds; BrokerDenied,
        BrokerUnfit."""
        until = monotonic_ms() + patience * 1000
        while True:
            try:
                return await self._connect()
            except BrokerUnavailable:
                if monotonic_ms() > until:
                    raise
                await asyncio.sleep(PAUSE)

    async def _connect(self) -> Connection:
        connection = await connect(self._address)
        try:
            await self._greet(connection)
        except BaseException:
            connection.close()
            raise
        self.connection = connection
        connection.lost.add_done_callback(lambda _: self._broke(connection))
        return connection

    async def _greet(self, connection: Connection) -> None:
        greeting, silence = asyncio.ensure_future(self._on_up(connection)), Silence()
        try:
            while not greeting.done():
                await asyncio.wait({greeting}, timeout=LOOK_SECONDS)
                if silence.lasts(connection, time.monotonic()) > SILENCE_SECONDS:
                    raise BrokerUnavailable(TOLD)
        finally:
            greeting.cancel()
        greeting.result()

    async def attend(self) -> None:
        """Connect anew when the broker has been silent for too long; for as long as this runs."""
        silence = Silence()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            connection = self.connection
            if connection and silence.lasts(connection, time.monotonic()) > SILENCE_SECONDS:
                self._logs.say(f"{TOLD}: connecting anew")
                self.doubt()

    def close(self) -> None:
        """Hang up for good."""
        if self._task is not None:
            self._task.cancel()
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def _broke(self, connection: Connection) -> None:
        if connection is self.connection:
            self.connection = None
            self._logs.say("lost the broker: running jobs go on, and what they did is told when it is back")
            self._task = asyncio.get_running_loop().create_task(self._reopen())

    async def _reopen(self) -> None:
        pause, said = PAUSE, ""
        while self.connection is None:
            try:
                if self._embedded is not None:
                    self._embedded.ensure()
                await self._connect()
            except (BrokerDenied, BrokerUnfit) as error:
                self._on_denied(error)
                return
            except BrokerError as error:
                if pause >= LONGEST_PAUSE and error.message != said:
                    said = error.message
                    self._logs.say(said)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LONGEST_PAUSE)
        self._logs.say("the broker is back")

    def doubt(self) -> None:
        """The broker is silent for too long: hang up, and connect anew."""
        if self.connection is not None:
            self.connection.close()
