"""Where the jobs of a lost worker go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.job import NO_RUNS, Options, Runs, decode_outcome, decode_runs, encode
from pipeline.policy import Backoff, JobPolicy, QueuePolicy, RetryPolicy, Timeout
from pipeline.store import keys, names
from pipeline.store.call import run
from pipeline.store.store import Held, Store
from pipeline.supervisor.recover import HOST_DIED, Scene, move, reclaim, relieve
from pipeline.worker.board import Board

NOW = 1_000_000
BEGUN = frozenset({("7", 3)})


def held(id: str = "7", *, runs: Runs = NO_RUNS, **options: Any) -> Held:
    record = encode((NOW - 50, "job", {}, Options(**options)))
    return Held(id.encode(), b"3", record, encode(runs) if runs is not NO_RUNS else None)


def policy(**own: Any) -> QueuePolicy:
    retry = RetryPolicy(2, Backoff("fixed", 500))
    return QueuePolicy("a", others=JobPolicy(handler="m:f", timeout=Timeout(hard=1000), retry=retry), **own)


def test_a_job_that_had_not_begun_goes_to_the_front_of_its_level_unchanged():
    step = move(held(priority=5), policy(), Scene(), NOW)
    assert (step.move, step.level, step.runs) == ("unused", 5, b"")


@pytest.mark.parametrize(
    ("max_crashes", "before", "goes"),
    [(3, 0, "front"), (3, 1, "alone"), (3, 2, "dead"), (2, 0, "alone"), (2, 1, "dead"), (1, 0, "dead")],
)
def test_the_crash_before_the_last_makes_a_job_run_alone_and_the_last_makes_it_dead(
    max_crashes, before, goes
):
    step = move(held(runs=Runs(1, before)), policy(max_crashes=max_crashes), Scene(crashed=BEGUN), NOW)
    assert step.move == goes
    assert decode_runs(step.runs) == Runs(1, before + 1)


def test_a_job_that_died_of_crashes_keeps_why_and_frees_its_key():
    step = move(held("x", key="k"), policy(max_crashes=1), Scene(crashed=frozenset({("x", 3)})), NOW)
    error = decode_outcome(step.outcome).error
    assert error is not None
    assert (error.type, error.attempt, error.at) == ("WorkerCrashed", 1, NOW)
    assert (step.key, step.keep) == ("k", policy().ids_keep)


def test_a_job_with_an_id_of_ours_leaves_no_id_behind():
    assert move(held(), policy(max_crashes=1), Scene(crashed=BEGUN), NOW).keep == ""


def test_of_a_dead_host_every_job_counts_as_begun():
    assert decode_runs(move(held(), policy(), HOST_DIED, NOW).runs).crashes == 1


@pytest.mark.parametrize(("crashes", "back"), [(0, "unused"), (1, "unused"), (2, "alone")])
def test_a_job_that_had_not_begun_goes_back_to_where_it_waited(crashes, back):
    """One that waited to run alone must not come among neighbours."""
    assert move(held(runs=Runs(0, crashes)), policy(), Scene(), NOW).move == back


def test_a_job_past_its_limit_fails_by_the_policy():
    step = move(held(), policy(), Scene(timed_out=BEGUN), NOW)
    assert (step.move, step.delay) == ("delayed", 500)
    runs = decode_runs(step.runs)
    assert (runs.attempts, runs.crashes, runs.errors[0].type) == (1, 0, "TimeoutError")


def test_a_job_past_its_limit_at_its_last_attempt_is_dead():
    step = move(held(runs=Runs(1)), policy(), Scene(timed_out=BEGUN), NOW)
    assert step.move == "dead"
    assert decode_outcome(step.outcome).attempt == 2


def test_another_lease_of_the_same_job_is_another_matter():
    assert move(held(), policy(), Scene(crashed=frozenset({("7", 2)})), NOW).runs == b""


# --- with a broker -----------------------------------------------------------------------------------------

STORE = Store("test", "a")


async def given(connection, worker, *ids):
    """A worker that holds these jobs under leases 1, 2, ..."""
    base = STORE.queue
    await run(connection, STORE.join(worker, 10_000))
    for lease, id in enumerate(ids, 1):
        await connection.call(("HSET", keys.jobs(base), id, encode((1, "job", {}))))
        await connection.call(("HSET", keys.active(base, worker), id, lease))


async def holds(connection, worker):
    return [id for id in await connection.call(("HKEYS", keys.active(STORE.queue, worker))) if id]


async def waiting(connection):
    return await connection.call(("LRANGE", keys.wait(STORE.queue, 0), 0, -1))


async def test_jobs_come_back_in_their_order_before_those_that_wait(connection):
    await given(connection, "w", "1", "2", "3")
    await connection.call(("RPUSH", keys.wait(STORE.queue, 0), "4"))
    recovered = await reclaim(STORE, connection, "w", "dead", policy(), Scene(), NOW)
    assert recovered.moved == 3
    assert await waiting(connection) == [b"1", b"2", b"3", b"4"]
    assert await connection.call(("ZCARD", keys.workers(STORE.queue))) == 0


async def test_a_worker_whose_lease_holds_is_left_alone(connection):
    await given(connection, "w", "1")
    assert (await reclaim(STORE, connection, "w", "lapsed", policy(), HOST_DIED, NOW)).moved == 0
    assert await holds(connection, "w") == [b"1"]


async def test_reclaiming_twice_moves_nothing_twice(connection):
    await given(connection, "w", "1")
    for moved in (1, 0):
        assert (await reclaim(STORE, connection, "w", "dead", policy(), Scene(), NOW)).moved == moved
    assert await waiting(connection) == [b"1"]


@pytest.fixture
def board():
    board = Board.create()
    yield board
    board.close()


async def test_a_worker_that_stands_still_keeps_what_it_has_begun(connection, board):
    await given(connection, "w", "1", "2", "3")
    board.begin(0, b"2", 2, 1, 0)
    assert await relieve(STORE, connection, "w", policy(), board) == 2
    assert await waiting(connection) == [b"1", b"3"]
    assert await holds(connection, "w") == [b"2"]


async def test_it_keeps_what_has_ended_there_and_is_not_told_yet(connection, board):
    await given(connection, "w", "1", "2", "3", "4", "5")
    for slot, id in ((0, 1), (1, 2), (0, 3)):
        board.begin(slot, b"%d" % id, id, 1, 0)
    board.end(0)
    assert await relieve(STORE, connection, "w", policy(), board) == 2
    assert await waiting(connection) == [b"4", b"5"]
    assert sorted(await holds(connection, "w")) == [b"1", b"2", b"3"]


async def test_what_had_begun_and_must_run_again_is_counted(connection):
    await given(connection, "w", "1", "2")
    await reclaim(STORE, connection, "w", "dead", policy(), Scene(rerun=frozenset({("1", 1)})), NOW)
    assert await connection.call(("HGET", keys.stats(STORE.queue), "reruns")) == b"1"


async def test_how_the_attempts_of_a_lost_worker_ended_is_counted_by_the_names_of_their_jobs(connection):
    await given(connection, "w", "1", "2", "3", "4")
    await connection.call(("HSET", keys.runs(STORE.queue), "2", encode(Runs(0, 2))))
    scene = Scene(crashed=frozenset({("1", 1), ("2", 2)}), timed_out=frozenset({("3", 3)}))
    await reclaim(STORE, connection, "w", "dead", policy(), scene, NOW)
    await reclaim(STORE, connection, "w", "dead", policy(), scene, NOW)
    found = await run(connection, names.ends("test", "a"))
    assert found == {("crashed", "job"): 1, ("dead", "job"): 1, ("failed", "job"): 1}


async def test_two_supervisors_at_once_count_an_attempt_once(connection):
    await given(connection, "w", "1")
    scene = Scene(crashed=frozenset({("1", 1)}))
    both = (reclaim(STORE, connection, "w", "dead", policy(), scene, NOW) for _ in range(2))
    assert sorted(one.moved for one in await asyncio.gather(*both)) == [0, 1]
    assert await run(connection, names.ends("test", "a")) == {("crashed", "job"): 1}
