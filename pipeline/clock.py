"""The one source of time outside the broker. Deadlines use `monotonic_ms`; people see `now_ms`."""

import time


def now_ms() -> int:
    """Milliseconds since 1970 UTC, by this host's clock."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of a clock that never jumps; the same clock in every process of a host."""
    return time.monotonic_ns() // 1_000_000


_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_ms() -> int:
    """As `monotonic_ms`, and it goes on while the machine is suspended."""
    return time.clock_gettime_ns(_BOOT) // 1_000_000
