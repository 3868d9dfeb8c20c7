"""What a supervisor fires, and when: by the broker's clock and by how far the schedule has come there."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from pipeline.plan import PoolPlan, SchedulePlan
from pipeline.policy import JobPolicy
from pipeline.schedule import LATE
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.store import Store
from pipeline.supervisor.publish import Published
from pipeline.supervisor.schedules import AHEAD, LONGEST_PAUSE
from tests.acl import by_admin
from tests.supervisor.stage import BASE, Stage

HOUR = 3_600_000


@pytest.fixture
def stage(connection, plan):
    def with_schedule(policy=None, **more):
        schedule = SchedulePlan(**{"queue": "a", "job": "tidy", "every": HOUR, "data": {"x": 1}, **more})
        queue = replace(plan.queues["a"], others=policy or plan.queues["a"].others)
        return Stage(connection, replace(plan, queues={"a": queue}, schedules={"beat": schedule})).publish()

    return with_schedule


async def test_nothing_is_due_until_the_first_tick_after_it_was_published(stage):
    one = await stage(every=HOUR)
    assert await one.look() == LONGEST_PAUSE
    assert await one.jobs() == []
    quick = await stage(every=400)
    assert await quick.look() < 0.4


async def test_a_due_tick_is_a_job_as_a_producer_would_enqueue_it(stage):
    one = await stage(JobPolicy(handler="m:f", priority=7, expires=5_000), every=100)
    after = await one.rewind(100)
    await one.look()
    seen = await one.standing()
    tick = (after // 100 + 1) * 100
    assert (seen.fired, seen.ran) == (1, tick)
    job = await one.job(f"beat:{tick}")
    assert (job.name, job.data, job.priority, job.state) == ("tidy", {"x": 1}, 7, "waiting")
    assert job.enqueued_at >= tick


@pytest.mark.parametrize(("catch_up", "jobs", "missed"), [("latest", 1, 2), ("none", 0, 3), ("all", 3, 0)])
async def test_what_was_missed_is_made_up_for_as_the_file_says(stage, catch_up, jobs, missed):
    one = await stage(every=HOUR, catch_up=catch_up)
    now = await one.now()
    # Far enough from a tick: what is in time fires anyhow.
    start = now - 3 * HOUR - 600_000
    one.fleet.plan.schedules["beat"] = replace(one.fleet.plan.schedules["beat"], start=start)
    await one.connection.call(("HSET", keys.schedules(BASE), "beat:rhythm", f"every {HOUR} {start}"))
    await one.rewind(now - start)
    await one.look()
    seen = await one.standing()
    assert (len(await one.jobs()), seen.fired, seen.missed) == (jobs, jobs, missed)
    assert seen.after == start + 3 * HOUR
    assert any("missed while nothing ran" in line for line in one.lines) == bool(missed)


async def test_of_two_supervisors_who_look_at_once_one_fires(stage):
    one = await stage(every=100, catch_up="all")
    two = await Stage(one.connection, one.fleet.plan).publish()
    await one.rewind(1_000)
    for _ in range(3):
        one.leases.server_ms = two.leases.server_ms = await one.now()
        await asyncio.gather(one.scheduler._round(), two.scheduler._round())
    ticks = [int(id.partition(":")[2]) for id in await one.jobs()]
    assert ticks == list(range(ticks[0], ticks[-1] + 1, 100))
    seen = await one.standing()
    assert (seen.fired, seen.skipped) == (len(ticks), 0)


async def test_a_limit_ends_it_and_a_higher_one_lets_it_go_on_from_then(stage):
    one = await stage(every=100, catch_up="all", limit=2)
    await one.rewind(1_000)
    assert await one.look() == LONGEST_PAUSE
    assert len(await one.jobs()) == 2
    plan = one.fleet.plan
    higher = replace(plan.schedules["beat"], limit=9)
    one.fleet.plan = replace(plan, hash="h2", schedules={"beat": higher})
    await one.publish()
    await one.look()
    assert len(await one.jobs()) <= 3


async def test_jitter_delays_the_job_and_not_the_tick(stage):
    one = await stage(every=100, jitter=10 * HOUR)
    await one.rewind(100)
    await one.look()
    [id] = (await one.jobs())[:1]
    job = await one.job(id)
    assert job.state == "delayed"
    assert (await one.standing()).ran == int(id.partition(":")[2])


async def test_replace_cancels_the_job_before(stage):
    one = await stage(JobPolicy(handler="m:f", priority=3), every=100, overlap="replace")
    await one.rewind(100)
    await one.look()
    first = (await one.standing()).job
    while (await one.standing()).job == first:
        await one.look()
    assert (await one.job(first)).state == "cancelled"
    assert await one.connection.call(("HGETALL", keys.stale(BASE))) == [f"3:{first}".encode(), b"1"]
    assert (await one.job((await one.standing()).job)).state == "waiting"


async def test_a_supervisor_that_is_behind_or_stops_or_has_no_broker_fires_nothing(stage):
    one = await stage(every=100)
    await one.rewind(1_000)
    one.publisher.published = Published(1, behind=True)
    assert await one.look() == LONGEST_PAUSE
    one.publisher.published = Published(1)
    one.stopping = True
    assert await one.look() == LONGEST_PAUSE
    one.stopping = False
    one.link.connection = None
    assert await one.look() == LONGEST_PAUSE
    assert await one.jobs() == []


async def test_a_schedule_of_a_clock_that_went_back_since_goes_on_from_now(stage):
    one = await stage(every=100)
    await one.rewind(-AHEAD - HOUR)
    await one.look()
    seen = await one.standing()
    assert abs(seen.after - await one.now()) < LATE
    assert "the broker's clock went back" in one.lines[0]
    assert await one.jobs() == []


async def test_a_broker_that_takes_no_jobs_keeps_the_tick_due(stage, broker):
    one = await stage(every=100)
    await one.rewind(1_000)
    by_admin(broker, "CONFIG", "SET", "maxmemory", "1")
    try:
        for _ in range(3):
            await one.look()
            one.scheduler._watched[0].due = 0
    finally:
        by_admin(broker, "CONFIG", "SET", "maxmemory", "0")
    assert (await one.standing()).fired == 0
    assert [line.startswith("schedule beat cannot fire") for line in one.lines] == [True]
    one.scheduler._learned = None
    await one.look()
    assert (await one.standing()).fired >= 1


async def test_a_newer_generation_that_is_on_its_way_fires_itself(stage):
    one = await stage(every=100)
    await one.look()
    await run(one.connection, Store("test", "a").publish(5, b"{}", ""))
    await one.rewind(1_000)
    await one.look()
    assert await one.jobs() == []
    assert one.lines == []


async def test_schedules_that_the_file_has_no_more_are_forgotten_also_with_their_queue(stage):
    one = await stage()
    plan = one.fleet.plan
    assert await one.standing() is not None
    other = {"b": replace(plan.queues["a"], name="b")}
    one.fleet.plan = replace(plan, hash="h2", queues=other, pools={"b": PoolPlan(("b",))}, schedules={})
    await one.publish()
    assert await one.standing() is None
