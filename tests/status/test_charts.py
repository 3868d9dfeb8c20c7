"""Points of a chart: what was written down, where it happened, of one queue or of several."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pipeline.broker import parse
from pipeline.status.charts import LONGEST, POINTS, Charts, charts, window
from pipeline.status.minutes import MINUTE_MS
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.reader import server_time
from pipeline.store.wire import Connection
from pipeline.supervisor.minutes import keep
from tests.acl import by_admin


@pytest.fixture
async def connection(broker: str) -> AsyncIterator[Connection]:
    connection = await connect(parse(broker))
    yield connection
    connection.close()


class Past:
    """A queue whose lines are written as if by minute.lua, so many minutes ago."""

    def __init__(self, connection: Connection, name: str, now: int) -> None:
        self.connection, self.now = connection, now // MINUTE_MS
        self.base = keys.base("shop", name)

    async def wrote(self, ago: int, figures: str, ring: str = "minutes") -> None:
        await self.connection.call(("RPUSH", f"{self.base}:{ring}", f"{self.now - ago} {figures}"))

    async def counted(self, **stats: int) -> None:
        for name, value in stats.items():
            await self.connection.call(("HSET", keys.stats(self.base), name.replace("_", ":"), value))


@pytest.fixture
async def past(connection: Connection) -> Past:
    return Past(connection, "emails", await run(connection, server_time()))


async def look(past: Past, minutes: int, *queues: str) -> Charts:
    found = await charts(past.connection, "shop", queues or ("emails",), minutes)
    # The clock may have gone on by a minute since: then the last points are one further.
    past.now = found.until_at // MINUTE_MS
    return found


@pytest.mark.parametrize(
    ("minutes", "step"),
    [(1, 1), (60, 1), (200, 1), (201, 10), (1_440, 10), (10_080, 60), (43_200, 360), (LONGEST, 720)],
)
def test_any_window_has_at_most_200_points_of_one_step(minutes: int, step: int) -> None:
    for now in (0, 1, 719, 720):
        at = (29_000_000 + now) * MINUTE_MS
        found = window(at, minutes)
        assert found.step == step
        assert found.length <= POINTS
        assert found.first <= at // MINUTE_MS + 1 - minutes < found.first + step
        assert found.first + (found.length - 1) * step <= at // MINUTE_MS < found.first + found.length * step


async def test_what_happened_since_the_line_before_lies_in_the_minute_before_a_line(past: Past) -> None:
    await past.wrote(9, "10 10 0 0 0 0 - -")
    await past.wrote(3, "17 15 2 1 0 5000 3:4,5:1 12:5")
    await past.counted(own=20, completed=16, failed=2, dead=1)
    found = await look(past, 6)
    assert found.enqueued[-6:] == [0, 7, 0, 0, 0, 3]
    assert found.completed[-6:] == [0, 5, 0, 0, 0, 1]
    assert (found.failed_attempts[-5], found.dead[-5]) == (2, 1)
    assert found.oldest_waiting_ms[-6:] == [None, 5000, None, None, None, None]
    assert found.run_ms.p50[-5] == 0.65  # 2.5 of the 4 that took 0.4 to 0.8 ms
    assert found.run_ms.p99[-5] == pytest.approx(3.12, abs=0.01)
    assert found.wait_ms.p95[-5] == pytest.approx(399.36)
    assert found.run_ms.p50[-1] is None
    assert len(found.at) == len(found.enqueued) == 6
    assert found.at[-1] == found.until_at // MINUTE_MS * MINUTE_MS


async def test_the_minute_that_goes_on_has_what_no_line_tells_yet(past: Past, connection: Connection) -> None:
    await past.counted(own=5, run_3=10)
    await keep(connection, "shop", "emails")
    await past.counted(own=8, run_3=14, run_4=1)
    found = await look(past, 5)
    assert sum(found.enqueued) == found.enqueued[-1] == 3
    assert found.run_ms.p50[-1] == 0.65, "2.5 of the 4 in the bucket from 0.4 to 0.8 ms"
    assert found.known_from_at is not None


async def test_before_the_first_line_nothing_is_known(past: Past) -> None:
    await past.counted(own=5, run_3=10)
    found = await look(past, 5)
    assert found.known_from_at is None
    assert sum(found.enqueued) == 0
    await past.wrote(2, "5 0 0 0 0 0 3:10 -")
    found = await look(past, 5)
    assert found.known_from_at == (past.now - 2) * MINUTE_MS
    assert sum(found.enqueued) == 0


async def test_what_was_written_before_the_window_is_known(past: Past) -> None:
    first = past.now - 30
    for ago in range(30, 0, -1):
        await past.wrote(ago, f"{100 - ago} 0 0 0 0 0 - -")
    await past.counted(own=100)
    found = await look(past, 5)
    assert found.known_from_at == first * MINUTE_MS
    assert sum(found.enqueued) in (3, 4), "and is not told as if it happened in the window"


async def test_long_windows_are_made_of_coarser_lines_and_the_minutes_after_them(past: Past) -> None:
    now = past.now
    ago = [600 + now % 60, 120 + now % 60, 60 + now % 60]
    await past.wrote(ago[0], "0 0 0 0 0 0 - -", "hours")
    await past.wrote(ago[1], "50 40 0 0 0 7000 9:40 -", "hours")
    await past.wrote(ago[2], "60 60 0 0 0 0 9:20 -", "hours")
    await past.wrote(ago[2], "60 60 0 0 0 0 9:2 -")
    await past.wrote(ago[2] - 1, "61 61 0 0 0 0 14:1 -")
    await past.counted(own=61, completed=61)
    found = await look(past, 10_080)
    assert found.step_ms == 60 * MINUTE_MS
    hour = {at // MINUTE_MS // 60: n for at, n in zip(found.at, found.completed, strict=True) if n}
    first = (now - ago[0]) // 60
    assert hour == {first + 7: 40, first + 8: 20, first + 9: 1}
    assert max(filter(None, found.oldest_waiting_ms)) == 7000


async def test_queues_are_added_up_and_the_oldest_wait_is_the_longest(past: Past) -> None:
    other = Past(past.connection, "stock", past.now * MINUTE_MS)
    for queue, waited in ((past, 300), (other, 900)):
        await queue.wrote(4, "0 0 0 0 0 0 - -")
        await queue.wrote(1, f"5 5 0 0 0 {waited} 3:5 -")
        await queue.counted(own=5, completed=5)
    found = await look(past, 5, "emails", "stock")
    assert found.queues == ["emails", "stock"]
    assert [n for n in found.completed if n] == [10]
    assert [n for n in found.oldest_waiting_ms if n] == [900]


async def test_a_server_that_lost_its_newest_state_gives_no_negative_counts(past: Past) -> None:
    await past.wrote(3, "50 50 0 0 0 0 - -")
    await past.wrote(1, "20 20 0 0 0 0 - -")
    await past.counted(own=25, completed=25)
    found = await look(past, 5)
    assert (min(found.completed), sum(found.completed)) == (0, 5)


async def test_what_is_kept_of_a_queue_is_bounded_however_busy_it_is(past: Past, broker: str) -> None:
    """As many lines as are kept, of a queue that ran millions of jobs of all durations in each of them."""
    histogram = ",".join(f"{bucket}:123456" for bucket in range(2, 14))
    line = f"29000000 123456789 123456789 12345 123 12 60000 {histogram} {histogram}"
    used = []
    for ring, size in (("minutes", 1_440), ("tens", 288), ("hours", 240), ("quarters", 372)):
        await past.connection.call(("RPUSH", f"{past.base}:{ring}", *[line] * size))
        used.append(by_admin(broker, "MEMORY", "USAGE", f"{past.base}:{ring}", "SAMPLES", 0))
    assert sum(used) < 800_000, used
