"""How often signing in may be tried: after some failures each pause is twice the one before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from pipeline.clock import monotonic_ms

FREE = 5
FIRST_MS, LONGEST_MS = 1_000, 60_000
FORGET_MS = 15 * 60_000
KEPT = 10_000


class Attempts:
    """Failures of addresses and of users, in this process. The memory that strangers can fill has an end."""

    def __init__(self, clock: Callable[[], int] = monotonic_ms) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def pause(self, *who: str) -> int:
        """How many ms to wait before the next try of any of these; 0 when it may be now."""
        now = self._clock()
        return max(0, *(self._until(one) - now for one in who))

    def failed(self, *who: str) -> None:
        """A try of all of these failed."""
        now = self._clock()
        for one in who:
            count, at = self._failed.pop(one, (0, now))
            self._failed[one] = (1 if now - at > FORGET_MS else count + 1, now)
        while len(self._failed) > KEPT:
            self._failed.popitem(last=False)

    def succeeded(self, *who: str) -> None:
        """All of these start anew."""
        for one in who:
            self._failed.pop(one, None)

    def _until(self, who: str) -> int:
        count, at = self._failed.get(who, (0, 0))
        if count < FREE:
            return 0
        return int(at + min(FIRST_MS * 2 ** min(count - FREE, 30), LONGEST_MS))


def neighbourhood(address: str) -> str:
    """An address as far as one person has it: of IPv6 the first 64 bits."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network(f"{address}/64", strict=False)) if isinstance(found, IPv6Address) else address
