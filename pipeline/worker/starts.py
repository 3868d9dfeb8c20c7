"""Under a rate limit: jobs that start later than they were reserved, told to the broker, so that the limit stays exact."""

from __future__ import annotations

import asyncio
from math import inf

from pipeline.store.store import Store
from pipeline.worker.link import Link

LATE_MS = 5
AGAIN_SECONDS = 0.001
"""So long what was told of a reservation holds for all of its jobs."""
DRIFT_MS = 0.5
"""By so much two clocks may part in a second."""


class Starts:
    """`heard` keeps the two clocks together, `began` compares a start with its reservation."""

    def __init__(self, store: Store, link: Link) -> None:
        self._store = store
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._offset, self._at = -inf, 0.0
        self._told: tuple[int, float] = (0, -inf)

    def heard(self, time: int, at: float) -> None:
        """An answer of which the server's clock showed `time` (ms) was read `at` this moment (monotonic seconds).

        The quickest answer tells the truth: to one that was read late the server's clock only seems to go behind.
        """
        self._offset = max(time - at * 1000, self._offset - (at - self._at) * DRIFT_MS)
        self._at = at

    def began(self, id: bytes, lease: int, moment: float, *, apart: bool = False) -> None:
        """A job of this reservation, whose number tells its time, starts at this moment. From any thread.

        `apart`: the jobs of a reservation count each in a window of its own, and not together.
        """
        told, at = self._told
        fresh = not apart and told == lease and moment - at < AGAIN_SECONDS
        if moment * 1000 + self._offset - lease // 1000 > LATE_MS and not fresh:
            self._told = (lease, moment)
            self._loop.call_soon_threadsafe(self._tell, id, lease)

    def _tell(self, id: bytes, lease: int) -> None:
        if self._link.turns is not None:
            self._link.turns.send(lambda _: None, self._store.late(id, lease).command)
