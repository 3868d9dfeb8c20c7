"""What queues did over hours and days, point by point, from what their supervisors wrote down (minute.lua). Pure, but for
`charts`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from pipeline.status.histogram import buckets_of, quantile
from pipeline.status.minutes import MINUTE_MS, Sample, Totals, sample, totals_of
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.reader import Counts, Reader
from pipeline.store.wire import Connection, Reply

LONGEST = 90 * 1_440
POINTS = 200
STEPS = (1, 10, 60, 360, 720)
"""How many minutes a point may stand for: what has lines of its own, and twice the longest of these."""
RINGS: tuple[tuple[int, Callable[[str], str]], ...] = (
    (360, keys.quarters),
    (60, keys.hours),
    (10, keys.tens),
    (1, keys.minutes),
)


class Percentiles(Struct, frozen=True):
    """Durations in ms at each point, None where nothing ended: half of the jobs took less than `p50`, and so on."""

    p50: list[float | None]
    p95: list[float | None]
    p99: list[float | None]


class Charts(Struct, frozen=True):
    """What `queues` did together between two times (ms since 1970). All lists have an entry for each point, which begins
    at `at` and is `step_ms` long; the last one is not over yet.

    `known_from_at`: nothing was written down before; None: nothing at all. `oldest_waiting_ms` is the longest wait that was
    seen then, None when nothing waited.
    """

    queues: list[str]
    from_at: int
    until_at: int
    step_ms: int
    known_from_at: int | None
    at: list[int]
    enqueued: list[int]
    completed: list[int]
    failed_attempts: list[int]
    dead: list[int]
    cancelled: list[int]
    run_ms: Percentiles
    wait_ms: Percentiles
    oldest_waiting_ms: list[int | None]


class Window(NamedTuple):
    """`length` points of `step` minutes each, the first of which begins with the minute `first` (of all since 1970)."""

    step: int
    first: int
    length: int


class Point:
    """What happened in a step, in all of the queues."""

    def __init__(self) -> None:
        self.totals = [0] * len(Totals._fields)
        self.run: defaultdict[int, int] = defaultdict(int)
        self.wait: defaultdict[int, int] = defaultdict(int)
        self.waited = 0

    def add(self, before: Totals, after: Totals) -> None:
        """Count what came between two totals. A server that lost some has no negative counts."""
        for place, (was, now) in enumerate(zip(before, after, strict=True)):
            self.totals[place] += max(now - was, 0)


def window(now: int, minutes: int) -> Window:
    """The points for so many minutes up to `now` (ms since 1970), which is in the last of them."""
    step = next(step for step in STEPS if minutes <= step * POINTS - (step > 1) * step)
    minute = now // MINUTE_MS
    first = (minute + 1 - minutes) // step * step
    return Window(step, first, minute // step - first // step + 1)


async def charts(connection: Connection, project: str, queues: Sequence[str], minutes: int) -> Charts:
    """What these queues did together in the last `minutes` (1 to LONGEST; more is cut). Raises BrokerError."""
    minutes = max(min(minutes, LONGEST), 1)
    found = await asyncio.gather(*(_look(connection, project, queue, minutes) for queue in queues))
    now = max((counts.time for _, counts, _ in found), default=0)
    frame = window(now, minutes)
    points = [Point() for _ in range(frame.length)]
    for kept, counts, charted in found:
        _draw(points, frame, kept)
        _draw_now(points[-1], kept, counts, charted)
        await asyncio.sleep(0)  # many queues are much to do: others have their turn in between
    known = [kept[0].minute * MINUTE_MS for kept, _, _ in found if kept]
    return _columns(list(queues), frame, now, min(known, default=None), points)


async def _look(
    connection: Connection, project: str, queue: str, minutes: int
) -> tuple[list[Sample], Counts, dict[str, int]]:
    """What was written down of a queue, the first of all lines too; its counts now, and its histograms at the last line."""
    base = keys.base(project, queue)
    step = window(0, minutes).step
    unit, ring = next((unit, ring) for unit, ring in RINGS if unit <= step)
    counts, first, kept, latest, charted = await asyncio.gather(
        run(connection, Reader(project, queue).counts()),
        connection.call(("LINDEX", ring(base), 0)),
        connection.call(("LRANGE", ring(base), -(minutes + step) // unit - 2, -1)),
        # Those that no line of the coarser ones knows of yet.
        connection.call(("LRANGE", keys.minutes(base), -unit, -1)),
        connection.call(("HGETALL", keys.charted(base))),
    )
    samples = [sample(line) for line in kept]
    samples += [one for one in map(sample, latest) if not samples or one.minute > samples[-1].minute]
    oldest = sample(first) if first is not None else None
    if oldest is not None and oldest.minute < samples[0].minute:
        # What came between the two is not known point by point, and lies before the window.
        samples.insert(0, oldest)
    return samples, counts, _fields(charted)


def _fields(reply: Reply) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in zip(reply[::2], reply[1::2], strict=True)}


def _draw(points: list[Point], frame: Window, kept: Sequence[Sample]) -> None:
    """Put what lines tell where it belongs: what happened since the line before it happened before its own minute."""
    for before, one in pairwise(kept):
        place = (one.minute - 1 - frame.first) // frame.step
        if 0 <= place < len(points):
            point = points[place]
            point.add(before.totals, one.totals)
            point.waited = max(point.waited, one.waited)
            _merge(point.run, one.run)
            _merge(point.wait, one.wait)


def _draw_now(point: Point, kept: Sequence[Sample], counts: Counts, charted: dict[str, int]) -> None:
    """Put what no line tells yet into the last point."""
    if kept:
        point.add(kept[-1].totals, totals_of(counts))
    if charted:
        for prefix, histogram in (("run:", point.run), ("wait:", point.wait)):
            before = buckets_of(charted, prefix)
            for bucket, count in buckets_of(counts.stats, prefix).items():
                histogram[bucket] += max(count - before.get(bucket, 0), 0)
    if counts.oldest_at is not None:
        point.waited = max(point.waited, counts.time - counts.oldest_at, 1)


def _merge(histogram: defaultdict[int, int], text: bytes) -> None:
    """Add a histogram as minute.lua writes it."""
    if text != b"-":
        for part in text.split(b","):
            bucket, _, count = part.partition(b":")
            histogram[int(bucket)] += int(count)


def _columns(
    queues: list[str], frame: Window, now: int, known_from: int | None, points: Sequence[Point]
) -> Charts:
    start, step = frame.first * MINUTE_MS, frame.step * MINUTE_MS
    sums = [list(column) for column in zip(*(point.totals for point in points), strict=True)]
    return Charts(
        queues=queues,
        from_at=start,
        until_at=now,
        step_ms=step,
        known_from_at=known_from,
        at=[start + step * number for number in range(frame.length)],
        run_ms=_percentiles(point.run for point in points),
        wait_ms=_percentiles(point.wait for point in points),
        oldest_waiting_ms=[point.waited or None for point in points],
        **dict(zip(Totals._fields, sums, strict=True)),
    )


def _percentiles(histograms: Iterable[defaultdict[int, int]]) -> Percentiles:
    rows = [
        [quantile(one, share) for share in (0.5, 0.95, 0.99)] if any(one.values()) else [None] * 3
        for one in histograms
    ]
    p50, p95, p99 = (list(column) for column in zip(*rows, strict=True))
    return Percentiles(p50, p95, p99)
