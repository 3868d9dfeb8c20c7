"""How often the workers of a pool failed, and when the next one may start."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from pipeline.plan import RestartPlan

BARREN_DEATHS = 20
FATAL_RETRY_MS = 300_000
JITTER = 0.2


class Restarts:
    """Counts failures to start, and deaths between which no job ended. `failures` is how many there were in a row.

    `retry` is called when the pause after a failure is over.
    """

    def __init__(self, rules: RestartPlan, retry: Callable[[], None]) -> None:
        self.rules = rules
        self._retry = retry
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self.failures = 0
        self._barren = 0
        self._settled_at_death = 0

    @property
    def waits(self) -> bool:
        """Whether a pause runs."""
        return self._again is not None

    @property
    def hopeless(self) -> bool:
        """Whether the pool should be given up."""
        return self.failures >= self.rules.give_up_after

    def failed(self) -> None:
        """A worker could not start."""
        self.failures += 1

    def is_barren(self, settled: int) -> bool:
        """A worker died after its start; whether so many did in a row that no job ended in between."""
        self._barren = self._barren + 1 if settled == self._settled_at_death else 1
        self._settled_at_death = settled
        return self._barren >= BARREN_DEATHS

    def back_off(self) -> int:
        """Wait before the next try: the pause in ms."""
        pause = min(self.rules.delay * 2 ** min(self.failures - 1, 30), self.rules.max)
        return self._wait(round(pause * random.uniform(1 - JITTER, 1 + JITTER)))

    def give_up(self) -> int:
        """Wait for long; then one try, not a new series of them. The pause in ms."""
        self.failures = max(self.rules.give_up_after - 1, 1)
        self._barren = BARREN_DEATHS - 1
        return self._wait(FATAL_RETRY_MS)

    def clear(self) -> None:
        """Whatever was wrong is over."""
        self.failures = 0
        self.cancel()

    def cancel(self) -> None:
        """Wait no more."""
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _wait(self, pause: int) -> int:
        self.cancel()
        self._again = self._loop.call_later(pause / 1000, self._over)
        return pause

    def _over(self) -> None:
        self._again = None
        self._retry()
