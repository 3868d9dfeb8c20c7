"""Pause and admin: what a person stops, deletes and keeps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline import Job
from pipeline.broker import parse
from pipeline.errors import JobNotFound, WrongState
from pipeline.job import State
from pipeline.policy import QueuePolicy, Retention
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.listing import Filter
from pipeline.store.operator import Operator
from pipeline.store.reader import server_time
from pipeline.store.store import Store
from pipeline.supervisor.upkeep import _sweep_all
from tests.acl import by_admin
from tests.behaviours.conftest import behaviour
from tests.worker.shop import PATIENCE, Shop, shop, until

COUNTERS = {
    "meta",
    "stats",
    "names",
    "last_id",
    "last_lease",
    "turns",
    "workers",
    "idle",
    "active:w1",
    "outcomes",
}
"""What stays of a queue that ran empty: its figures, its worker, and what pads a hash."""


async def any_end(job: Job[Any]) -> Any:
    """Ends as its payload says."""
    if job.data == "die":
        raise ValueError
    if job.data == "stay":
        await asyncio.Event().wait()
    return job.data


def kept(broker: str) -> set[str]:
    """The queue's keys, but for call records of producers."""
    names = {name.decode().partition("}:")[2] for name in by_admin(broker, "KEYS", "{shop:q}:*")}
    return {name for name in names if not name.startswith("call:")}


def fields(person: Operator, key: str) -> set[bytes]:
    """The jobs in one of the queue's hashes."""
    return set(person.connection.call(("HKEYS", f"{{shop:q}}:{key}"))) - {b""}


async def one_of_each(it: Shop) -> dict[str, str]:
    """A job in each state; nothing waits to be taken."""
    ids = {"active": await it.enqueue("any_end", "stay")}
    it.worker()
    await it.ends_as(ids["active"], "active")
    for state, data in (("completed", "ok"), ("dead", "die")):
        ids[state] = await it.enqueue("any_end", data)
        await it.ends_as(ids[state], state)
    it.pools[0].hush()
    ids["delayed"] = await it.enqueue("any_end", delay="1h")
    ids["cancelled"] = await it.enqueue("any_end", delay="1h")
    await it.cancel(ids["cancelled"])
    ids["waiting"] = await it.enqueue("any_end")
    return ids


async def sweep(it: Shop, policy: QueuePolicy) -> None:
    """What a supervisor does once a second."""
    connection = await connect(parse(it.broker))
    await _sweep_all(connection, Store("shop", "q"), policy, await run(connection, server_time()))
    connection.close()


# --- pause ---------------------------------------------------------------------------------------------


@behaviour(31)
async def test_a_paused_queue_starts_nothing_ends_what_runs_and_goes_on_when_it_is_resumed(
    broker: str, person: Operator
) -> None:
    gate = asyncio.Event()

    async def work(job: Job[Any]) -> None:
        if job.data == "slow":
            await gate.wait()

    async with shop(broker, work) as it:
        it.worker()
        slow = await it.enqueue("work", "slow")
        await it.ends_as(slow, "active")
        assert person.pause("ann")
        held = await it.enqueue("work")
        delayed = await it.enqueue("work", delay="30ms")
        gate.set()
        await it.ends_as(slow, "completed")
        await it.ends_as(delayed, "waiting")
        assert (await it.client.job("q", held)).state == "waiting"
        assert person.resume()
        for id in (held, delayed):
            await it.ends_as(id, "completed")


@behaviour(31)
async def test_a_pause_of_an_idle_queue_holds_for_the_next_job(broker: str, person: Operator) -> None:
    async with shop(broker, any_end) as it:
        pool = it.worker()
        await until(lambda: pool._parked)
        person.pause("ann")
        id = await it.enqueue("any_end")
        await it.ends_as(await it.enqueue("any_end", delay="50ms"), "waiting")
        assert (await it.client.job("q", id)).state == "waiting"


# --- deleting ------------------------------------------------------------------------------------------


@behaviour(32)
async def test_a_purge_deletes_what_waits_and_nothing_else(broker: str, person: Operator) -> None:
    """Their `drain`. Ours is the quiet end of a worker, and deletes nothing."""
    async with shop(broker, any_end) as it:
        ids = await one_of_each(it)
        assert person.purge() == 1
        with pytest.raises(JobNotFound):
            person.job(ids.pop("waiting"))
        for state, id in ids.items():
            assert person.job(id).state == state


@behaviour(32)
async def test_a_purge_empties_a_long_queue_of_every_priority_and_leaves_only_counters(
    broker: str, person: Operator
) -> None:
    done: list[int] = []
    async with shop(broker, any_end) as it:
        await it.client.enqueue_many("q", [("any_end", n) for n in range(2_300)])
        for n in range(20):
            await it.enqueue("any_end", n, priority=n)
        assert person.purge(done.append) == 2_320
        assert sum(done) == 2_320
        assert kept(broker) <= COUNTERS
        assert (await it.counts()).stats["purged"] == 2_320


@behaviour(32)
@pytest.mark.parametrize("state", ["waiting", "delayed", "completed", "dead", "cancelled"])
async def test_a_removal_of_one_state_leaves_the_others(broker: str, person: Operator, state: State) -> None:
    async with shop(broker, any_end) as it:
        ids = await one_of_each(it)
        assert person.remove_many(person.jobs([state])) == 1
        assert list(person.jobs([state])) == []
        del ids[state]
        assert {job.id for job in person.jobs()} == set(ids.values())


@behaviour(32)
async def test_a_removal_by_age_and_number_takes_only_those(broker: str, person: Operator) -> None:
    async with shop(broker, any_end, concurrency=1) as it:
        it.worker()
        ids = [await it.enqueue("any_end", "die") for _ in range(4)]
        for id in ids:
            job = await it.ends_as(id, "dead")
            await asyncio.sleep(0.002)
        assert person.remove_many(person.jobs(["dead"], Filter(until=0))) == 0
        old = [job for job in person.jobs(["dead"], Filter(until=job.finished_at)) if job.id != ids[3]]
        assert person.remove_many(old[:2]) == 2
        assert [job.id for job in person.jobs(["dead"])] == [ids[3], ids[0]]


# --- retention -----------------------------------------------------------------------------------------


@behaviour(33)
@pytest.mark.parametrize("end", ["completed", "dead"])
@pytest.mark.parametrize(
    ("retention", "left"),
    [
        (Retention(count=2), 2),
        (Retention(age=1), 0),
        (Retention(age=60_000), 5),
        (Retention(count=2, age=60_000), 2),
        (Retention(count=3, age=1), 0),
        (Retention(count=0), 0),
    ],
    ids=["count", "past its age", "within its age", "both, by count", "both, by age", "nothing"],
)
async def test_ended_jobs_are_kept_by_number_and_age_and_leave_nothing_behind(
    broker: str, person: Operator, end: str, retention: Retention, left: int
) -> None:
    own: dict[str, Any] = {end: retention}
    async with shop(broker, any_end, **own) as it:
        it.worker()
        for _ in range(5):
            await it.enqueue("any_end", "die" if end == "dead" else "ok")
        async with asyncio.timeout(PATIENCE):
            while (await it.counts()).stats.get(end, 0) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.005)
        await sweep(it, it.policy)
        assert [job.state for job in person.jobs()] == [end] * left
        assert len(fields(person, "jobs")) == len(fields(person, "outcomes")) == left
        assert len(fields(person, "runs")) == (left if end == "dead" else 0)
        if not left:
            assert kept(broker) <= COUNTERS


@behaviour(33)
async def test_a_sweep_that_was_cut_short_goes_on_with_the_next(broker: str, person: Operator) -> None:
    async with shop(broker, any_end, completed=Retention()) as it:
        it.worker()
        await it.client.enqueue_many("q", [("any_end", n) for n in range(1_500)])
        async with asyncio.timeout(PATIENCE):
            while (await it.counts()).stats.get("completed", 0) < 1_500:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        connection = await connect(parse(broker))
        bounds: dict[str, Any] = {
            "expired": 0,
            "oldest": "",
            "dead_count": "",
            "dead_age": "",
            "cancelled_age": "",
        }
        sweep = Store("shop", "q").sweep(completed_count=10, **bounds)
        assert [await run(connection, sweep) for _ in range(4)] == [500, 500, 490, 0]
        connection.close()
        assert len(fields(person, "jobs")) == len(fields(person, "outcomes")) == 10


# --- removal -------------------------------------------------------------------------------------------


@behaviour(34)
async def test_a_job_that_runs_cannot_be_removed(broker: str, person: Operator) -> None:
    async with shop(broker, any_end) as it:
        it.worker()
        id = await it.enqueue("any_end", "stay")
        await it.ends_as(id, "active")
        with pytest.raises(WrongState, match="runs"):
            person.remove(id)
        assert person.remove_many([person.job(id)]) == 0
        assert person.job(id).state == "active"


@behaviour(34)
async def test_a_removal_says_what_the_job_was_once_and_then_that_there_is_none(
    broker: str, person: Operator
) -> None:
    async with shop(broker, any_end) as it:
        id = await it.enqueue("any_end")
        assert person.remove(id) == "waiting"
        for gone in (id, "never-there"):
            with pytest.raises(JobNotFound):
                person.remove(gone)
