"""Attempts that ended, on their way from the slots into the ledger."""

from __future__ import annotations

import asyncio
from collections import deque

from pipeline.errors import JobCancelled
from pipeline.worker.attempt import Attempt, Died, Refused, failure, timed_out
from pipeline.worker.hand import Hand
from pipeline.worker.ledger import Ledger
from pipeline.worker.notes import Notes
from pipeline.worker.report import tell_crash, tell_failure

GIVEN_BACK = ("release", "cancel")


class Ends:
    """What became of each attempt. Those of threads wait until the loop collects them."""

    def __init__(self, hand: Hand, ledger: Ledger, notes: Notes) -> None:
        self._running = hand.running
        self._ledger = ledger
        self._notes = notes
        self._waiting: deque[tuple[int, Attempt, BaseException | None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def leave(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt ended in a thread: for the next `collect`."""
        self._waiting.append((slot, attempt, error))

    def collect(self) -> None:
        """Put down what has ended in threads, behind what was noted there before."""
        self._notes.flush()
        while self._waiting:
            self.enter(*self._waiting.popleft())

    def enter(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """Put down how an attempt ended, unless nobody waited for it any more."""
        if attempt.stopped == "abandoned":
            return
        # A thread may have begun its next job before the loop hears of the last one.
        if self._running.get(slot) is attempt:
            del self._running[slot]
        if error is None and not attempt.stopped:
            self._ledger.complete(attempt)
            return
        if attempt.stopped == "lost":
            return
        if attempt.stopped == "hard":
            self.fail(attempt, None)
        elif error is None:
            self._ledger.complete(attempt)
        elif attempt.stopped in GIVEN_BACK and isinstance(error, asyncio.CancelledError | JobCancelled):
            if attempt.stopped == "cancel":
                self._ledger.stopped(attempt)
            else:
                self._ledger.give_back([attempt])
        elif isinstance(error, Died):
            tell_crash(attempt.job, str(error), self._ledger.crash(attempt, str(error)))
        else:
            self.fail(attempt, error)

    def fail(self, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt failed; None: by its time limit."""
        limit = attempt.job.options.timeout or attempt.policy.timeout
        why = failure(error) if error is not None else timed_out(limit)
        tell_failure(attempt.job, why, self._ledger.fail(attempt, why))

    def refuse(self, refused: Refused) -> None:
        """A job could not be run at all."""
        tell_failure(refused.job, refused.failure, self._ledger.fail(refused, refused.failure))
