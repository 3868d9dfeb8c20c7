"""The last minute of snapshots: how fast jobs come and go, and how long they take at the moment. Pure."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping

from msgspec import Struct

from pipeline.status.histogram import Buckets, percentiles
from pipeline.status.snapshot import Snapshot

MINUTE_MS = 60_000
RECENT_MS = 5_000
SPARK = 60


class Pace(Struct, frozen=True):
    """A queue lately: jobs a second in and out, [p50, p99] of run and wait in ms."""

    incoming: float = 0.0
    outgoing: float = 0.0
    run_ms: tuple[float, float] | None = None
    wait_ms: tuple[float, float] | None = None


class History:
    """Snapshots of the last minute, the oldest first."""

    def __init__(self) -> None:
        self._kept: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Take in the newest snapshot. One of another server, or from before the last, begins anew."""
        if self._kept and snapshot.at < self._kept[-1].at:
            self._kept.clear()
        self._kept.append(snapshot)
        while len(self._kept) > 2 and self._kept[1].at < snapshot.at - MINUTE_MS:
            self._kept.popleft()

    def pace(self, queue: str) -> Pace:
        """How a queue does lately; of a queue that stood still for a minute, what it did before."""
        new = self._kept[-1]
        old = next((one for one in self._kept if one.at >= new.at - RECENT_MS), new)
        if queue not in old.queues or queue not in new.queues:
            return Pace()
        seconds = (new.at - old.at) / 1000
        before, after = old.queues[queue], new.queues[queue]
        return Pace(
            (after.enqueued_total - before.enqueued_total) / seconds if seconds else 0.0,
            (after.completed_total - before.completed_total) / seconds if seconds else 0.0,
            percentiles(since(self._kept[0].run.get(queue, {}), new.run[queue])) or after.run_ms,
            percentiles(since(self._kept[0].wait.get(queue, {}), new.wait[queue])) or after.wait_ms,
        )

    def throughput(self) -> list[float]:
        """Completed jobs a second, for each of the last 60 whole seconds; the newest last."""
        now = self._kept[-1].at // 1000 * 1000
        done = [(one.at, sum(queue.completed_total for queue in one.queues.values())) for one in self._kept]
        ends = [now - MINUTE_MS + 1000 * second for second in range(SPARK + 1)]
        totals = [_total_at(done, end) for end in ends]
        return [max(after - before, 0.0) for before, after in itertools.pairwise(totals)]


def since(before: Buckets, after: Buckets) -> Mapping[int, int]:
    """What came to a histogram between two looks at it."""
    return {bucket: count - before.get(bucket, 0) for bucket, count in after.items()}


def _total_at(done: list[tuple[int, int]], moment: int) -> float:
    """The total at that moment, on a straight line between the snapshots around it."""
    before = done[0]
    for after in done:
        if after[0] >= moment:
            gap = after[0] - before[0]
            share = (moment - before[0]) / gap if gap and moment > before[0] else 0.0
            return before[1] + (after[1] - before[1]) * share
        before = after
    return done[-1][1]
