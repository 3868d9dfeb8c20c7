"""Histograms of durations, and the percentiles that they stand for. Pure.

Bucket i counts what took less than 2**i tenths of a ms, and no less than half of that.
"""

from __future__ import annotations

from collections.abc import Mapping

Buckets = Mapping[int, int]


def buckets_of(stats: Mapping[str, int], prefix: str) -> dict[int, int]:
    """The histogram among a queue's totals whose fields begin with `prefix`."""
    return {int(name[len(prefix) :]): value for name, value in stats.items() if name.startswith(prefix)}


def percentiles(buckets: Buckets) -> tuple[float, float] | None:
    """The [p50, p99] in ms that a histogram stands for; None when it is empty."""
    if not any(buckets.values()):
        return None
    return quantile(buckets, 0.5), quantile(buckets, 0.99)


def quantile(buckets: Buckets, share: float) -> float:
    """The ms below which that share of a histogram lies, as if each bucket were filled evenly."""
    left = share * sum(buckets.values())
    end = 0.0
    for bucket in sorted(buckets):
        end, start = 2.0**bucket / 10, 2.0 ** (bucket - 1) / 10 if bucket else 0.0
        count = buckets[bucket]
        if count and left <= count:
            return round(start + (end - start) * left / count, 2)
        left -= count
    return end


def mean(buckets: Buckets) -> float | None:
    """The mean in ms, as if each bucket were filled evenly; None when it is empty."""
    total = sum(buckets.values())
    if not total:
        return None
    return sum(sum(_bounds(bucket)) / 2 * count for bucket, count in buckets.items()) / total


def share_above(buckets: Buckets, ms: float) -> float:
    """The share of a histogram that lies above, from 0 to 1, as if each bucket were filled evenly."""
    above = 0.0
    for bucket, count in buckets.items():
        start, end = _bounds(bucket)
        above += count * min(max((end - ms) / (end - start), 0.0), 1.0)
    return above / max(sum(buckets.values()), 1)


def _bounds(bucket: int) -> tuple[float, float]:
    return 2.0 ** (bucket - 1) / 10 if bucket else 0.0, 2.0**bucket / 10
