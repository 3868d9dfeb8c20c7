"""A worker's way to the broker: one connection for turns, one that waits on the worker's inbox.

When either breaks, or owes a reply for too long, both are opened anew, with growing pauses, for as long as it takes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial

from pipeline.broker import Address
from pipeline.errors import BrokerDenied, BrokerError, BrokerUnavailable
from pipeline.store.connect import connect
from pipeline.store.refusals import refusal
from pipeline.store.silence import SILENCE_SECONDS, TOLD, Silence
from pipeline.store.wire import Command, Connection, Reply

PAUSE, LONGEST_PAUSE = 0.05, 1.0
REFUSED_SECONDS = 0.5
LISTEN_SECONDS = 2
log = logging.getLogger("pipeline.worker")


class Link:
    """`on_open` is awaited with the turns' connection each time that both are there; `on_denied` is told when the
    broker does not let us in."""

    def __init__(
        self,
        address: Address,
        inbox: str,
        on_open: Callable[[Connection], Awaitable[None]],
        on_denied: Callable[[str], None],
    ) -> None:
        self._address = address
        self._inbox_key = inbox
        self._listen: Command = ("BLMPOP", LISTEN_SECONDS, 1, inbox, "LEFT", "COUNT", 100)
        self._on_open = on_open
        self._on_denied = on_denied
        self._opening: asyncio.Task[None] | None = None
        self._inbox: Connection | None = None
        self._silence = Silence()
        self.heard_at = 0.0
        """When it was last certain that the broker answers; seconds of the monotonic clock."""
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
        watchdog = asyncio.get_running_loop().call_later(LISTEN_SECONDS + SILENCE_SECONDS, self.reset)

        def heard(reply: Reply) -> None:
            watchdog.cancel()
            self.listening = False
            done(reply)

        self._inbox.send(heard, self._listen)

    def refused(self, error: Exception) -> None:
        """A turn, or the wait, was refused: it may be another server than before. Connect anew, a little later."""
        why = refusal(error)
        log.warning("%s", why)
        if isinstance(why, BrokerDenied):
            self._on_denied(why.message)
        asyncio.get_running_loop().call_later(REFUSED_SECONDS, self._reset_from, self.turns)

    def _reset_from(self, turns: Connection | None) -> None:
        if turns is self.turns:
            self.reset()

    def watch(self, moment: float) -> None:
        """Look whether an answer is long overdue."""
        if self.turns is None or self._opening is None or not self._opening.done():
            return
        silent = self._silence.lasts(self.turns, moment)
        self.heard_at = moment - silent
        if silent > SILENCE_SECONDS:
            log.warning("%s: connecting anew", TOLD)
            self.reset()

    async def _open(self) -> None:
        pause = PAUSE
        while True:
            try:
                await self._connect()
            except BrokerError as error:
                self._hang_up()
                if isinstance(error, BrokerDenied):
                    self._on_denied(error.message)
                log.warning("%s; trying again in %.1f s", error, pause)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return

    async def _connect(self) -> None:
        turns = await connect(self._address, key=self._inbox_key)
        try:
            inbox = await connect(self._address, key=self._inbox_key)
        except BaseException:
            turns.close()
            raise
        self.turns, self._inbox = turns, inbox
        for connection in (turns, inbox):
            connection.lost.add_done_callback(partial(self._broke, turns))
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                await self._on_open(turns)
        except TimeoutError:
            raise BrokerUnavailable(TOLD) from None

    def _broke(self, turns: Connection, _: asyncio.Future[None]) -> None:
        # Only the connection in use counts: both break when one does, and old ones break late.
        if turns is self.turns:
            self.reset()
