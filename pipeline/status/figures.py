"""Figures as people read them: sizes, times, rates. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pipeline.units import words

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.,:-=+#"


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def span(ms: float) -> str:
    """A time for people, with about two digits."""
    if ms < 10:
        return f"{ms:.2g}ms"
    if ms < 1_000:
        return f"{ms:.0f}ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f}s"
    return words(round(ms / 60_000) * 60_000)


def spans(pair: tuple[float, float] | None) -> str:
    """p50 and p99 for people."""
    return "-" if pair is None else f"{span(pair[0])} / {span(pair[1])}"


def rate(per_second: float) -> str:
    """Jobs a second for people."""
    if per_second < 0.05:
        return "-"
    return f"{per_second:.1f}/s" if per_second < 10 else f"{per_second:,.0f}/s"


def spark(values: Sequence[float], bars: str = BARS) -> str:
    """A line of bars, the highest value the highest bar."""
    top = max(values, default=0.0)
    if not top:
        return bars[0] * len(values)
    return "".join(bars[min(int(value / top * len(bars)), len(bars) - 1)] for value in values)


def clock(at: int, now: int) -> str:
    """A time (ms since 1970) for people, as exactly as it is near to `now`."""
    away = abs(at - now) / 60_000
    shape = "%H:%M:%S" if away < 10 else "%H:%M" if away < 12 * 60 else "%Y-%m-%d %H:%M"
    return time.strftime(shape, time.localtime(at / 1000))
