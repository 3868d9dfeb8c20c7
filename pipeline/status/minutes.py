"""What a queue did in each of the last minutes, from the totals that its supervisors keep (minute.lua). Pure, but for
`look` and `look_back`.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.store import keys
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run, run_blocking
from pipeline.store.reader import Counts, Reader
from pipeline.store.wire import Connection

MINUTE_MS = 60_000
HOUR = 60
DAY = 1_440


class Totals(NamedTuple):
    """What was counted so far."""

    enqueued: int = 0
    completed: int = 0
    failed_attempts: int = 0
    dead: int = 0
    cancelled: int = 0


class Sample(NamedTuple):
    """The totals when a minute (of all since 1970) began; of the time since the sample before it the longest wait that
    was seen (ms, 0: none), and the histograms, as they are written."""

    minute: int
    totals: Totals
    waited: int = 0
    run: bytes = b"-"
    wait: bytes = b"-"


class Minute(NamedTuple):
    """What happened in the minute that began at `at` (ms since 1970)."""

    at: int
    happened: Totals


def look(connection: BlockingConnection, project: str, queue: str, count: int) -> list[Minute]:
    """The last `count` minutes of a queue, the newest last; that one is not over yet. Raises BrokerError."""
    reader = Reader(project, queue)
    kept = connection.call(("LRANGE", keys.minutes(reader.queue), 0, -1))
    counts = run_blocking(connection, reader.counts())
    return minutes([sample(line) for line in kept], totals_of(counts), counts.time, count)


async def look_back(connection: Connection, project: str, queue: str, count: int) -> list[Minute]:
    """As `look`, from a loop, and only what is needed of what is kept."""
    reader = Reader(project, queue)
    kept, counts = await asyncio.gather(
        connection.call(("LRANGE", keys.minutes(reader.queue), -count - 1, -1)),
        run(connection, reader.counts()),
    )
    return minutes([sample(line) for line in kept], totals_of(counts), counts.time, count)


def sample(line: bytes) -> Sample:
    """A line that minute.lua wrote."""
    fields = line.split()
    totals = Totals(*map(int, fields[1:6]))
    # An older version of this program wrote no more than the totals.
    return (
        Sample(int(fields[0]), totals, int(fields[6]), *fields[7:9])
        if fields[6:]
        else Sample(int(fields[0]), totals)
    )


def totals_of(counts: Counts) -> Totals:
    """The totals as they are now."""
    total = counts.stats.get
    return Totals(
        counts.enqueued, total("completed", 0), total("failed", 0), total("dead", 0), total("cancelled", 0)
    )


def minutes(kept: Sequence[Sample], now: Totals, at: int, count: int) -> list[Minute]:
    """The last `count` minutes up to `at`. A minute without a sample began as the one before; before the first
    sample nothing is known to have happened."""
    last = at // MINUTE_MS
    starts = range(last - count + 1, last + 1)
    began = [sample.minute for sample in kept]
    first = kept[0].totals if kept else now

    def at_start(minute: int) -> Totals:
        place = bisect_right(began, minute)
        return kept[place - 1].totals if place else first

    edges = [*map(at_start, starts), now]
    return [
        Minute(minute * MINUTE_MS, Totals(*(max(b - a, 0) for a, b in zip(before, after, strict=True))))
        for minute, (before, after) in zip(starts, pairwise(edges), strict=True)
    ]


def grouped(values: Sequence[int], places: int) -> list[int]:
    """The values summed up in groups of one size, so that there are at most so many; the first may be smaller."""
    size = math.ceil(len(values) / places)
    ends = range(len(values), 0, -size)
    return [sum(values[max(end - size, 0) : end]) for end in reversed(ends)]
