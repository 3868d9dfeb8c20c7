"""A worker's way to the broker: one connection for turns, one that waits on the worker's inbox.

When either breaks, both are opened anew, with growing pauses, for as long as it takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial

from pipeline.errors import BrokerError
from pipeline.store.wire import Address, Command, Connection, Reply, connect

PAUSE, LONGEST_PAUSE = 0.05, 1.0
LISTEN_SECONDS = 5
log = logging.getLogger("pipeline.worker")


class Link:
    """`on_open` is awaited with the turns' connection each time that both are there."""

    def __init__(
        self, address: Address, inbox: str, on_open: Callable[[Connection], Awaitable[None]]
    ) -> None:
        self._address = address
        self._listen: Command = ("BLMPOP", LISTEN_SECONDS, 1, inbox, "LEFT", "COUNT", 100)
        self._on_open = on_open
        self._opening: asyncio.Task[None] | None = None
        self._inbox: Connection | None = None
        self.turns: Connection | None = None
        self.listening = False

    def open(self) -> None:
        """Begin to connect, unless that is under way."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open())

    def reset(self) -> None:
        """Hang up both connections and open them anew."""
        self._hang_up()
        self.open()

    def close(self) -> None:
        """Hang up for good."""
        if self._opening is not None:
            self._opening.cancel()
        self._hang_up()

    def _hang_up(self) -> None:
        turns, inbox, self.turns, self._inbox = self.turns, self._inbox, None, None
        for connection in (turns, inbox):
            if connection is not None:
                connection.close()

    def listen(self, done: Callable[[Reply], None]) -> None:
        """Wait for something in the inbox, unless that is under way; `done` gets the reply."""
        if self.listening or self._inbox is None:
            return
        self.listening = True
        watchdog = asyncio.get_running_loop().call_later(2 * LISTEN_SECONDS, self.reset)

        def heard(reply: Reply) -> None:
            watchdog.cancel()
            self.listening = False
            done(reply)

        self._inbox.send(heard, self._listen)

    async def _open(self) -> None:
        pause = PAUSE
        while True:
            try:
                turns, inbox = await connect(self._address), await connect(self._address)
                self.turns, self._inbox = turns, inbox
                for connection in (turns, inbox):
                    connection.lost.add_done_callback(partial(self._broke, turns))
                await self._on_open(turns)
            except BrokerError as error:
                log.warning("%s; trying again in %.1f s", error, pause)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return

    def _broke(self, turns: Connection, _: asyncio.Future[None]) -> None:
        # Only the connection in use counts: both break when one does, and old ones break late.
        if turns is self.turns:
            self.reset()
