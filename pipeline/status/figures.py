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
    """A time (ms since 1970) for people: the hour alone when it is not far from `now`."""
    far = abs(at - now) > 12 * 3_600_000
    return time.strftime("%Y-%m-%d %H:%M" if far else "%H:%M", time.localtime(at / 1000))
