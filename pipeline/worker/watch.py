"""The worker's clock: time limits of jobs, signs of life, and jobs that wait behind slow ones."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

from pipeline.worker.attempt import Attempt
from pipeline.worker.board import Board
from pipeline.worker.hand import Hand
from pipeline.worker.ledger import Ledger
from pipeline.worker.link import Link
from pipeline.worker.slots import now

STALL_SECONDS = 1.0
STUCK_SECONDS = 0.05
GRACE_SECONDS = 5.0
BUSY_TICK, IDLE_TICK = 0.05, 0.5


class Watched(Protocol):
    """What the clock may ask of the pool."""

    def doubt(self) -> None:
        """The loop stood still: nothing buffered is certain any more."""

    def abandon(self, slot: int, attempt: Attempt) -> None:
        """An attempt is past its limit and does not end."""

    def kick(self) -> None:
        """Take a turn soon."""


class Watch:
    """Ticks for as long as the loop runs. `alive` is when it last went round."""

    def __init__(self, pool: Watched, link: Link, hand: Hand, ledger: Ledger, board: Board) -> None:
        self._pool = pool
        self._link = link
        self._hand = hand
        self._ledger = ledger
        self._board = board
        self._loop = asyncio.get_running_loop()
        self.alive = self._progress = now()

    def seen(self) -> float:
        """The loop goes round; the moment."""
        self.alive = now()
        return self.alive

    def progress(self, moment: float) -> None:
        """Jobs came, or one ended."""
        self._progress = moment

    def tick(self) -> None:
        """One round: called once, goes on by itself."""
        moment = now()
        if moment - self.alive > STALL_SECONDS:
            # Also with empty hands: what was handed over meanwhile may have been taken back.
            self._pool.doubt()
        self.alive = moment
        self._link.watch(moment)
        self._board.tick(int(moment * 1000), int(self._link.heard_at * 1000))
        for slot, attempt in list(self._hand.running.items()):
            self._limit(slot, attempt, moment)
        if self._hand.buffered and moment - self._progress > STUCK_SECONDS:
            self._unload()
        self._loop.call_later(BUSY_TICK if len(self._hand) else IDLE_TICK, self.tick)

    def _unload(self) -> None:
        """Every slot is busy with something slow: another worker may take what waits here."""
        self._ledger.pace = max(self._ledger.pace, STUCK_SECONDS)
        self._ledger.give_back(self._hand.take_back())
        self._pool.kick()

    def _limit(self, slot: int, attempt: Attempt, moment: float) -> None:
        lane = self._hand.lanes[attempt.handler.is_async]
        if attempt.soft <= moment:
            attempt.soft = inf
            lane.stop(slot, attempt, "soft")
        if attempt.hard > moment:
            return
        if attempt.handler.is_async and moment < attempt.hard + GRACE_SECONDS:
            if attempt.stopped != "hard":
                lane.stop(slot, attempt, "hard")
        else:
            self._pool.abandon(slot, attempt)
