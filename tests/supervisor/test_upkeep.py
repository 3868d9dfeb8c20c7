"""What a supervisor does for its queues over and over."""

from __future__ import annotations

import subprocess

import pytest
from msgspec.structs import replace

from pipeline.job import Outcome, encode
from pipeline.policy import Retention
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.reader import server_time
from pipeline.store.store import Store
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.host import host_label, host_name
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pool import Pool
from pipeline.supervisor.upkeep import Upkeep

STORE = Store("test", "a")
BASE = STORE.queue


class Started(Exception):
    """A worker would have been started."""


class Nobody:
    """An owner that hears nothing: these pools have no workers."""

    def on_boot_failure(self, pool, failed):
        raise AssertionError

    def on_child_gone(self, pool, child, *, planned):
        raise AssertionError

    def on_denied(self, reason):
        raise AssertionError


@pytest.fixture
async def make(plan):
    """An upkeep whose pool has no workers, for a queue with these options."""

    def upkeep(**policy):
        started = []

        def hire(queues, label, parent, *, alone=False):
            started.append(label)
            raise Started

        logs = Logs(lambda line: None)
        policies = {"a": replace(plan.queues["a"], **policy)}
        fleet = Fleet(replace(plan, queues=policies), None, "", logs, Nobody())
        fleet.pools[:] = [Pool("a", policies, plan.pools["a"], plan.supervisor, hire, logs, Nobody())]
        upkeep = Upkeep(fleet, logs)
        return upkeep, started

    return upkeep


async def given_ended(connection, state, *ages):
    """Ended jobs 1, 2, ... of these ages in ms, the oldest first."""
    now = await run(connection, server_time())
    for id, age in enumerate(ages, 1):
        await connection.call(("HSET", keys.jobs(BASE), id, '[1,"job",{}]'))
        await connection.call(("HSET", keys.outcomes(BASE), id, encode(Outcome(1, None, now - age))))
        if state == "completed":
            await connection.call(("LPUSH", keys.completed(BASE), id))
        else:
            await connection.call(("ZADD", keys.dead(BASE), now - age, id))


async def kept(connection):
    return sorted(int(id) for id in await connection.call(("HKEYS", keys.jobs(BASE))))


async def test_completed_jobs_go_when_they_are_too_old(connection, make):
    await given_ended(connection, "completed", 9_000, 8_000, 100)
    upkeep, _ = make(completed=Retention(100, 5_000))
    await upkeep.sweep(connection, await run(connection, server_time()))
    assert await kept(connection) == [3]


async def test_completed_jobs_go_when_they_are_too_many_the_oldest_first(connection, make):
    await given_ended(connection, "completed", 30, 20, 10)
    upkeep, _ = make(completed=Retention(1, None))
    await upkeep.sweep(connection, await run(connection, server_time()))
    assert await kept(connection) == [3]


async def test_dead_jobs_go_by_age_and_number_too(connection, make):
    await given_ended(connection, "dead", 9_000, 30, 20, 10)
    upkeep, _ = make(dead=Retention(2, 5_000))
    await upkeep.sweep(connection, await run(connection, server_time()))
    assert await kept(connection) == [3, 4]


async def test_without_bounds_everything_is_kept(connection, make):
    await given_ended(connection, "completed", 10**10, 10**9)
    upkeep, _ = make(completed=Retention(None, None), dead=Retention(None, None))
    await upkeep.sweep(connection, await run(connection, server_time()))
    assert await kept(connection) == [1, 2]


async def test_a_thousand_old_jobs_go_in_one_beat(connection, make):
    await given_ended(connection, "completed", *[9_000] * 700)
    upkeep, _ = make(completed=Retention(None, 5_000))
    await upkeep.sweep(connection, await run(connection, server_time()))
    assert await kept(connection) == []


# --- workers of others ---------------------------------------------------------------------------------------


async def given_worker(connection, worker, lease):
    await run(connection, STORE.join(worker, lease))
    await connection.call(("HSET", keys.jobs(BASE), "1", '[1,"job",{}]'))
    await connection.call(("HSET", keys.active(BASE, worker), "1", 1))


async def waits(connection):
    return bool(await connection.call(("LLEN", keys.wait(BASE, 0))))


def orphan() -> str:
    child = subprocess.Popen(["true"])
    child.wait()
    return f"{host_name()}:{host_label()}:{child.pid}:abc.1"


async def test_the_jobs_of_a_silent_host_are_taken_back_when_its_lease_has_ended(connection, make):
    await given_worker(connection, "elsewhere:l:1:s.1", -1)
    upkeep, _ = make()
    await upkeep.adopt(connection, await run(connection, server_time()), lapsed=True)
    assert await waits(connection)
    assert await connection.call(("ZCARD", keys.workers(BASE))) == 0


async def test_they_are_left_alone_while_the_lease_holds_or_after_an_outage(connection, make):
    upkeep, _ = make()
    await given_worker(connection, "elsewhere:l:1:s.1", 60_000)
    await upkeep.adopt(connection, await run(connection, server_time()), lapsed=True)
    await given_worker(connection, "elsewhere:l:1:s.2", -1)
    await upkeep.adopt(connection, await run(connection, server_time()), lapsed=False)
    assert not await waits(connection)


async def test_the_jobs_of_a_supervisor_that_died_here_are_taken_back_at_once(connection, make):
    await given_worker(connection, orphan(), 60_000)
    upkeep, _ = make()
    await upkeep.adopt(connection, await run(connection, server_time()), lapsed=False)
    assert await waits(connection)


async def test_a_job_that_must_run_alone_gets_a_process_of_its_own(connection, make):
    upkeep, started = make()
    await upkeep.start_alone(connection)
    assert started == []
    await connection.call(("RPUSH", keys.alone(BASE), "1"))
    with pytest.raises(Started):
        await upkeep.start_alone(connection)
    assert started == ["a.alone"]
