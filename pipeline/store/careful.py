"""A redrive that looks at what becomes of the jobs: a few first, the rest at a rate, and no further when they die."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from pipeline.store.bulk import Progress, never
from pipeline.store.call import run_blocking
from pipeline.store.operator import Operator
from pipeline.store.reader import JobView
from pipeline.units import words

CHUNK = 500
TICK_SECONDS = 0.1
LOOK_SECONDS = 0.5
STOPPED = "a person stopped it"
Item = TypeVar("Item")


class Care(Struct, frozen=True):
    """`probe` jobs go first and must end within `patience` ms. No more are sent when more than the share `stop_at` of
    those sent died again. `rate` is jobs a second."""

    probe: int = 0
    stop_at: float | None = None
    rate: float | None = None
    patience: int = 600_000


class Report(Struct, frozen=True):
    """What came of it: how many wait again, how many of these died by now, how many were not sent; why others could not
    be redriven (id -> reason), and why it stopped."""

    redriven: int
    died: int
    left: int
    kept: dict[str, str]
    stopped: str | None


class Careful:
    """One redrive. `progress` gets the jobs sent since the last call. `stop` is asked before each step, and `pause` waits
    so many seconds, or until there is no need to."""

    def __init__(
        self,
        hands: Operator,
        care: Care,
        progress: Progress,
        stop: Callable[[], bool] = never,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._hands = hands
        self._care = care
        self._progress = progress
        self._stop = stop
        self._pause = pause
        self._open: list[str] = []
        self._sent = self._died = 0
        self._kept: dict[str, str] = {}

    def run(self, jobs: Sequence[JobView]) -> Report:
        """Redrive dead jobs. Raises BrokerError."""
        first, rest = spread(jobs, self._care.probe)
        stopped = self._probe(first) if first else None
        left = len(rest)
        for chunk in self._paced(rest) if stopped is None else ():
            if self._stop():
                stopped = STOPPED
                break
            self._send(chunk)
            left -= len(chunk)
            stopped = self._verdict()
            if stopped is not None:
                break
        return Report(self._sent, self._died, left, self._kept, stopped)

    def _probe(self, jobs: Sequence[JobView]) -> str | None:
        """Send a few and wait until they have ended; why no more should be sent, or None."""
        self._send(jobs)
        until = time.monotonic() + self._care.patience / 1000
        while self._open and time.monotonic() < until and not self._stop():
            self._pause(TICK_SECONDS)
            self._look()
        if self._stop():
            return STOPPED
        if self._open:
            waited = words(self._care.patience)
            return f"{len(self._open)} of the first {len(jobs)} have not ended within {waited}"
        return self._judge()

    def _paced(self, jobs: Sequence[JobView]) -> Iterator[Sequence[JobView]]:
        """Chunks, no earlier than the rate allows."""
        rate = self._care.rate
        size = CHUNK if rate is None else max(min(int(rate * LOOK_SECONDS), CHUNK), 1)
        begun = time.monotonic()
        for first in range(0, len(jobs), size):
            if rate is not None:
                self._pause(max(begun + first / rate - time.monotonic(), 0))
            yield jobs[first : first + size]

    def _send(self, jobs: Sequence[JobView]) -> None:
        answer = self._hands.redrive_many(jobs, self._progress)
        self._sent += answer.moved
        self._kept |= answer.kept
        if self._care.stop_at is not None or self._care.probe:
            self._open += [job.id for job in jobs if job.id not in answer.kept]

    def _verdict(self) -> str | None:
        if self._care.stop_at is None:
            return None
        self._look()
        return self._judge()

    def _judge(self) -> str | None:
        share = self._care.stop_at
        if share is None or not self._sent or self._died <= share * self._sent:
            return None
        return f"{self._died:,} of {self._sent:,} died again, more than {share:.0%}"

    def _look(self) -> None:
        """What became of those that had not ended."""
        still = []
        for first in range(0, len(self._open), CHUNK):
            ids = self._open[first : first + CHUNK]
            jobs = run_blocking(self._hands.connection, self._hands.reader.show(ids))
            for id, job in zip(ids, jobs, strict=True):
                if job is not None and job.state in ("waiting", "delayed", "active", "blocked"):
                    still.append(id)
                elif job is not None and job.state == "dead":
                    self._died += 1
        self._open = still


def spread(items: Sequence[Item], count: int) -> tuple[list[Item], list[Item]]:
    """So many of the items, from all over the list, and the others: what died last is alike, and tells little."""
    if count >= len(items) or not count:
        return (list(items), []) if count else ([], list(items))
    places = {number * len(items) // count for number in range(count)}
    chosen = [item for place, item in enumerate(items) if place in places]
    return chosen, [item for place, item in enumerate(items) if place not in places]
