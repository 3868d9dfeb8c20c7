"""What holds besides the file: overrides, and what a newer generation says."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from pipeline.job import encode
from pipeline.plan import PoolPlan
from pipeline.policy import Retention
from pipeline.status.supervisors import SupervisorState
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.overrides import Scale
from pipeline.store.reader import server_time
from pipeline.store.store import Store
from pipeline.supervisor.drift import Drift
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.records import write_record
from tests.supervisor.test_transition import Stage

STORE = Store("test", "a")


@pytest.fixture
async def stage(connection, plan, monkeypatch):
    stage = Stage(plan, connection, monkeypatch)
    await stage.publisher.greet(connection, plan, "alice")
    yield stage
    stage.locks.keep(())


@pytest.fixture
def drift(stage):
    return Drift(stage.fleet, stage.publisher, stage.fleet._logs)


async def scale(connection, processes, until=None):
    now = await run(connection, server_time())
    await run(connection, STORE.scale(encode(Scale(processes, "bob", now, until))))


async def test_a_pool_is_scaled_as_people_say_until_they_say_no_more(stage, drift, connection):
    (pool,) = stage.fleet.pools
    await scale(connection, 3)
    await drift.look(connection)
    await drift.look(connection)
    assert len(pool.children) == 3
    assert stage.lines.count("a is scaled to 3 processes by bob") == 1
    await run(connection, STORE.unscale())
    await drift.look(connection)
    assert stage.lines[-1] == "a is scaled to 1 processes: the file counts again"
    assert [child.told for child in pool.children] == [[], ["kill"], ["kill"]]


async def publish_elsewhere(connection, plan):
    publisher = Publisher("theirs")
    await publisher.greet(connection, plan, "bob")
    now = await run(connection, server_time())
    record = SupervisorState("there", 1, 2, plan.hash, "ready", None, now, [], [])
    await write_record(connection, "test", "theirs", record, now + 60_000)


async def test_a_newer_file_elsewhere_counts_for_what_is_the_queues_as_a_whole(
    stage, drift, plan, connection
):
    theirs = replace(plan.queues["a"], completed=Retention(7, None), concurrency=99)
    await publish_elsewhere(connection, replace(plan, hash="h2", queues={"a": theirs}))
    await drift.look(connection)
    await drift.look(connection)
    policy = stage.fleet.pools[0].queues["a"]
    assert (policy.completed.count, policy.concurrency) == (7, plan.queues["a"].concurrency)
    assert [order[0] for order in stage.office.hired[0].told] == ["policy"]
    assert len([line for line in stage.lines if "a newer file runs elsewhere" in line]) == 1
    assert stage.publisher.published.behind


async def test_a_change_of_our_own_that_is_half_way_is_not_taken_for_a_newer_file(
    stage, drift, plan, connection
):
    async with stage.publisher.changing:
        await connection.call(("RPUSH", keys.generations("test"), "h2"))
        looks = asyncio.create_task(drift.look(connection))
        await asyncio.sleep(0.05)
        stage.fleet.plan = replace(plan, hash="h2")
    await looks
    assert not stage.publisher.published.behind
    assert not any("newer file" in line for line in stage.lines)


async def test_a_queue_that_nobody_runs_any_more_is_closed_and_that_is_said_once(
    stage, drift, plan, connection
):
    both = {"a": plan.queues["a"], "b": replace(plan.queues["a"], name="b")}
    pools = {name: PoolPlan((name,)) for name in both}
    await publish_elsewhere(connection, replace(plan, hash="h0", queues=both, pools=pools))
    await connection.call(("HDEL", keys.supervisors("test"), "theirs"))
    await stage.publisher.greet(connection, replace(plan, hash="h3"), "alice")
    stage.fleet.plan = replace(plan, hash="h3")
    for _ in range(11):
        await drift.look(connection)
    assert await connection.call(("HGET", keys.meta(keys.base("test", "b")), "policy")) is None
    assert len([line for line in stage.lines if line.startswith("b is not in the file")]) <= 1
