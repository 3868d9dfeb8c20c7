"""How long jobs have waited, at least."""

from __future__ import annotations

from pipeline.job import KeptError, Runs, encode
from pipeline.store import keys
from pipeline.store.wire import Connection
from pipeline.supervisor.waits import Waits

BASE = keys.base("test", "a")
LIMIT = 1_000


async def put(connection: Connection, *ids: str, level: int = 0) -> None:
    for id in ids:
        await connection.call(("HSET", keys.jobs(BASE), id, '[1,"job",null]'))
        await connection.call(("RPUSH", keys.wait(BASE, level), id))
    await connection.call(("ZADD", keys.levels(BASE), -level, str(level)))


async def take(connection: Connection, level: int = 0) -> None:
    id = await connection.call(("LPOP", keys.wait(BASE, level)))
    await connection.call(("HDEL", keys.jobs(BASE), id))
    if not await connection.call(("LLEN", keys.wait(BASE, level))):
        await connection.call(("ZREM", keys.levels(BASE), str(level)))


async def test_it_counts_from_when_the_job_was_first_seen_and_not_from_its_enqueue(
    connection: Connection,
) -> None:
    waits = Waits("test", "a")
    assert await waits.look(connection, LIMIT, 50_000) == 0
    await put(connection, "1")
    assert await waits.look(connection, LIMIT, 50_100) == 0
    assert await waits.look(connection, LIMIT, 50_900) == 800


async def test_a_queue_that_moves_is_never_late_however_old_its_jobs_are(connection: Connection) -> None:
    waits = Waits("test", "a")
    for step in range(50):
        await put(connection, str(step), f"{step}-b")
        assert await waits.look(connection, LIMIT, 50_000 + 100 * step) <= 100
        await take(connection)
        await take(connection)


async def test_the_lists_of_all_priorities_count(connection: Connection) -> None:
    waits = Waits("test", "a")
    await put(connection, "low", level=-5)
    for step in range(10):
        await put(connection, f"high-{step}", level=5)
        await waits.look(connection, LIMIT, 50_000 + 200 * step)
        await take(connection, level=5)
    assert await waits.look(connection, LIMIT, 52_000) == 2_000


async def test_a_job_that_failed_and_waits_again_waits_anew(connection: Connection) -> None:
    waits = Waits("test", "a")
    await put(connection, "1")
    await waits.look(connection, LIMIT, 50_000)
    runs = Runs(1, 0, (KeptError(1, 1, "E", "m"),))
    await connection.call(("HSET", keys.runs(BASE), "1", encode(runs)))
    assert await waits.look(connection, LIMIT, 51_000) == 0


async def test_a_clock_that_goes_back_begins_anew(connection: Connection) -> None:
    waits = Waits("test", "a")
    await put(connection, "1")
    await waits.look(connection, LIMIT, 50_000)
    assert await waits.look(connection, LIMIT, 40_000) == 0
    assert await waits.look(connection, LIMIT, 42_000) == 2_000


async def test_the_marks_stay_few(connection: Connection) -> None:
    waits = Waits("test", "a")
    await put(connection, "first")
    for step in range(600):
        await put(connection, str(step))
        await waits.look(connection, LIMIT, 50_000 + 100 * step)
    assert len(waits._marks) <= 400
    assert await waits.look(connection, LIMIT, 150_000) == 100_000
