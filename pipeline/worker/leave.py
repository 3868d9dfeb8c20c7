"""How a worker leaves a queue: quiet at first, then drained or released, then gone."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from pipeline.errors import BrokerError, LeaseLost
from pipeline.store.call import Call, run
from pipeline.worker.hand import Hand
from pipeline.worker.ledger import Ledger
from pipeline.worker.link import Link

UNWIND_SECONDS, SETTLE_SECONDS = 1.0, 2.0
log = logging.getLogger("pipeline.worker")


class Leaver(Protocol):
    """What is asked of the pool."""

    def kick(self) -> None:
        """Take a turn soon."""

    def collect(self) -> None:
        """Put down what has ended in threads."""


class Leave:
    """`quiet` means that no new job is taken. `gone` is done when the worker has left, and fails with LeaseLost
    when it was reclaimed. `goodbye` is what tells the broker."""

    def __init__(self, pool: Leaver, link: Link, hand: Hand, ledger: Ledger, goodbye: Call[int]) -> None:
        self._pool = pool
        self._link = link
        self._hand = hand
        self._ledger = ledger
        self._goodbye = goodbye
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        self.quiet = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def hush(self) -> None:
        """Take no new jobs, and give back what has not begun."""
        self.quiet = True
        self._ledger.give_back(self._hand.take_back())
        self._pool.kick()

    def stop(self, timeout: int | None = None) -> None:
        """Drain: hush, end what runs, leave. After `timeout` ms the rest is released."""
        self._stopping = True
        self.hush()
        if timeout is not None:
            self._loop.call_later(timeout / 1000, self.release)

    def release(self) -> None:
        """Give back what runs, at no cost: async handlers are cancelled, threads are left behind."""
        self.stop()
        for slot, attempt in list(self._hand.running.items()):
            if attempt.handler.is_async:
                self._hand.lanes[True].stop(slot, attempt, "release")
        self._loop.call_later(UNWIND_SECONDS if self._hand.running else 0.0, self._let_go)

    def _let_go(self) -> None:
        self._pool.collect()
        running = self._hand.running
        for attempt in running.values():
            log.warning("released %s %s: it will run again", attempt.job.name, attempt.job.id)
            attempt.stopped = "abandoned"
        self._ledger.give_back(running.values())
        running.clear()
        self._pool.kick()
        # The broker may be away: then the leases end, and a supervisor reclaims the jobs.
        self._loop.call_later(SETTLE_SECONDS, self._finish)

    def if_done(self) -> None:
        """Nothing is to be settled: leave, when that is wanted and nothing is held."""
        if self._stopping and not len(self._hand) and not self.gone.done():
            self._loop.create_task(self._leave())

    async def _leave(self) -> None:
        if self._link.turns is not None:
            try:
                await run(self._link.turns, self._goodbye)
            except BrokerError as error:
                log.warning("left without telling the broker: %s", error)
        self._finish()

    def _finish(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def reclaimed(self, error: LeaseLost) -> None:
        """Others have the jobs: there is nothing to give back."""
        if not self.gone.done():
            self.gone.set_exception(error)
