"""Standing still, on either side: when we did, our workers may have lost their leases; when the broker did, nobody
could renew any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.clock import boot_ms

TICK_SECONDS = 0.25
GAP_MS = 2_500
JUMP_MS = 1_000


def longest_gap(lease: int) -> int:
    """For how many ms leases of this length may not be renewed before others should doubt their ends."""
    return min(GAP_MS, lease // 2)


class Pulse:
    """Ticks beside everything else that the loop does. After a standstill (SIGSTOP, a suspended machine) it is the
    first to run: `on_overslept` is called before anybody speaks to the broker, with the ms that it took.

    `renewed` is when our leases were last renewed, in ms of `boot_ms`.
    """

    def __init__(self, lease: Callable[[], int], on_overslept: Callable[[int], None]) -> None:
        self._lease = lease
        self._on_overslept = on_overslept
        self._last = self.renewed = boot_ms()

    def tick(self) -> None:
        """One round: called once, goes on by itself."""
        now = boot_ms()
        slept, self._last = now - self._last, now
        # The broker may be away for long while we are awake: then others cannot reclaim either.
        if slept > self._lease() / 2 and now - self.renewed > self._lease():
            self._on_overslept(slept)
        asyncio.get_running_loop().call_later(TICK_SECONDS, self.tick)


class Trust:
    """Whether the end of a lease means that its holder is gone.

    It does not for the time of a lease after the broker was away, stood still or changed its clock: its holder could
    not renew it, and needs the time to do so. `tell` is told of a clock that jumped.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._source: object = None
        self._since = self._ours = self._theirs = self._took = 0

    def look(self, source: object, server: int, took: int, lease: int) -> tuple[bool, bool]:
        """Called in every beat, with the connection, the server's time and how long that answer took (ms): whether ends
        of leases count now, and whether the server's clock went back since the last time. It may have, unseen, before
        a new connection."""
        now = boot_ms()
        unsure, self._took = max(took, self._took), took
        passed, told = now - self._ours, server - self._theirs
        new = source is not self._source
        jump = 0 if new else told - passed
        jumped = abs(jump) > JUMP_MS + unsure
        if new or passed > longest_gap(lease) or jumped:
            self._since = now
        if jumped:
            way = "forward" if jump > 0 else "back"
            self._tell(f"the clock of the broker went {way} by {abs(jump) / 1000:.0f} s")
        self._source, self._ours, self._theirs = source, now, server
        return now - self._since >= lease, new or (jumped and jump < 0)
