"""Crash safety: what becomes of a job whose worker, host or broker is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from faults.proxy import Proxy
from pipeline import AsyncClient, Job
from pipeline.errors import BrokerUnavailable
from pipeline.policy import DeadLetter, Retention
from pipeline.store.call import run_blocking
from pipeline.store.operator import Operator
from tests.behaviours.conftest import behaviour, lose, take_away
from tests.lifecycle.conftest import Project, make
from tests.store.lua.given import HOUR, Queue, move
from tests.worker.shop import PATIENCE, shop, until


@pytest.fixture
def project(broker: str) -> Iterator[Project]:
    """Supervisors as real processes."""
    yield from make(broker)


async def echo(job: Job[Any]) -> Any:
    return job.data


# --- workers that are gone -----------------------------------------------------------------------------


@behaviour(24)
async def test_the_jobs_of_a_worker_that_is_gone_run_before_those_that_wait(broker: str) -> None:
    begun: list[Any] = []

    async def work(job: Job[Any]) -> None:
        begun.append((job.data, job.attempt))

    async with shop(broker, work, concurrency=1) as it:
        for n in range(4):
            await it.enqueue("work", n)
        assert (await lose(it, want=2)).moved == 2
        it.worker()
        await until(lambda: len(begun) == 4)
        assert begun == [(n, 1) for n in range(4)]


@behaviour(24)
async def test_a_job_that_lost_its_worker_too_often_is_dead_and_told_of_as_every_dead_job(
    broker: str, person: Operator
) -> None:
    """It dies by `max_crashes`, whatever attempts are left. A flow hears of it too: see tests/flows."""
    letter, kept = DeadLetter(queue="morgue"), Retention(1)
    async with shop(broker, echo, max_crashes=3, dead_letter=letter, dead=kept) as it:
        id = await it.enqueue("echo")
        await lose(it, times=2)
        assert (await it.client.job("q", id)).state == "waiting"
        assert (await lose(it, times=3)).dead == (id,)
        job = await it.client.job("q", id)
        assert (job.state, job.crashes, job.error and job.error.type) == ("dead", 3, "WorkerCrashed")
        assert [one.id for one in Operator(person.connection, "shop", "morgue").jobs()] == ["q:1"]


@behaviour(24)
def test_a_job_that_kills_its_workers_is_dead_at_its_third_crash(project: Project) -> None:
    project.queue("a", "hands:die", concurrency=5)
    (id,) = project.enqueue("a", {})
    project.run()
    project.eventually(lambda: project.dead("a"), "the job is dead")
    assert project.dead("a") == {id: "WorkerCrashed"}
    assert len(project.events("begin")) == 3


# --- leases --------------------------------------------------------------------------------------------


@behaviour(25)
def test_a_worker_whose_lease_is_renewed_keeps_all_its_jobs_however_long_they_run(queue: Queue) -> None:
    """The lease is the worker's: one renewal holds for every job that it runs."""
    queue.join("w1", lease=40)
    queue.enqueue(*"abc")
    jobs = queue.take("w1", 3)
    start = queue.turn("w1").time
    for later in range(30, 150, 30):
        queue.until(start + later)
        assert run_blocking(queue.connection, queue.store.renew(40, ["w1"])) == []
        assert queue.expel("w1", "lapsed") is None
    assert queue.turn("w1", done=jobs).refused == []


@behaviour(25)
def test_a_worker_whose_lease_is_not_renewed_loses_all_its_jobs(queue: Queue) -> None:
    queue.join("w1", lease=5)
    queue.enqueue(*"abc")
    queue.take("w1", 3)
    queue.until(queue.turn("w1").time + 10)
    assert {job.id for job in queue.expel("w1", "lapsed") or []} == {b"1", b"2", b"3"}


@behaviour(26)
async def test_who_lost_a_job_does_not_complete_it(
    broker: str, person: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    gates = {"w1": asyncio.Event(), "w2": asyncio.Event()}
    began: list[str] = []

    async def work(job: Job[Any]) -> str:
        worker = f"w{len(began) + 1}"
        began.append(worker)
        await gates[worker].wait()
        return worker

    async with shop(broker, work, concurrency=1) as it:
        first = it.worker("w1")
        id = await it.enqueue("work")
        await until(lambda: began == ["w1"])
        first.hush()
        take_away(person, first)
        gates["w1"].set()
        it.worker("w2")
        await until(lambda: began == ["w1", "w2"])
        await until(lambda: "lost the lease of" in caplog.text)
        assert (await it.client.job("q", id)).state == "active"
        gates["w2"].set()
        assert (await it.ends_as(id, "completed")).result == "w2"
        stats = (await it.counts()).stats
        assert (stats["completed"], stats["lost_leases"]) == (1, 1)


@behaviour(27)
@pytest.mark.parametrize("kind", ["completed", "dead", "delayed", "back"])
def test_a_job_that_left_its_worker_leaves_no_trace_of_the_lease(queue: Queue, kind: str) -> None:
    queue.join("w1")
    queue.enqueue("r")
    ((id, lease),) = queue.take("w1").items()
    queue.turn("w1", moves=[move(kind, id, lease, delay=HOUR, outcome=b"o")])
    assert queue.expel("w1") == []
    assert queue.leave("w1") == 1
    assert not {"active:w1", "workers", "turns", "idle"} & queue.state().keys()
    assert queue.reclaim("w1", move("front", id, lease)) == 0


@behaviour(28)
def test_leases_are_renewed_until_the_last_job_of_a_stop_has_ended(project: Project) -> None:
    project.rules = replace(project.rules, lease=1_000)
    project.queue("a", "hands:work")
    (id,) = project.enqueue("a", {"seconds": 1.2})
    run = project.run()
    project.sees("begin")
    assert run.stop() == 0
    assert project.completed("a") == {id}
    assert (len(project.events("begin")), project.stats("a").get("lost_leases", 0)) == (1, 0)


# --- the network ---------------------------------------------------------------------------------------


@behaviour(29)
async def test_a_worker_whose_connection_broke_goes_on_with_what_came_before_and_meanwhile(
    broker: str,
) -> None:
    ran: list[int] = []

    async def work(job: Job[Any]) -> None:
        ran.append(job.data)
        await asyncio.sleep(0.005)

    with Proxy(broker) as proxy:
        async with shop(broker, work, concurrency=2) as it:
            it.worker(broker=proxy.url)
            for n in range(60):
                await it.enqueue("work", n)
                if n % 20 == 10:
                    proxy.hang_up()
            await until(lambda: len(ran) >= 60)
            async with asyncio.timeout(PATIENCE):
                while (await it.counts()).stats.get("completed", 0) < 60:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert sorted(ran) == list(range(60))


@behaviour(29)
async def test_a_worker_whose_wait_is_never_answered_hears_of_jobs_all_the_same(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.worker import link

    monkeypatch.setattr(link, "LISTEN_SECONDS", 0.2)
    monkeypatch.setattr(link, "SILENCE_SECONDS", 0.3)
    with Proxy(broker) as proxy:
        async with shop(broker, echo) as it:
            pool = it.worker(broker=proxy.url)
            await until(lambda: pool._parked)
            proxy.go_dark()
            id = await it.enqueue("echo", 1)
            proxy.heal()
            await it.ends_as(id, "completed")


@behaviour(30)
async def test_a_worker_and_a_client_close_while_the_broker_is_away(broker: str) -> None:
    """A client's connections are its own: there is nothing shared that it could close."""
    with Proxy(broker) as proxy:
        async with shop(broker, echo) as it, AsyncClient(proxy.url, "shop", timeout=0.2) as client:
            pool = it.worker(broker=proxy.url)
            id = (await client.enqueue("q", "echo", 1)).id
            await it.ends_as(id, "completed")
            proxy.go_dark()
            with pytest.raises(BrokerUnavailable):
                await client.enqueue("q", "echo", 2)
            await asyncio.wait_for(client.close(), 1)
            pool.stop(200)
            await asyncio.wait({it.ends[0]}, timeout=5)
            assert it.ends[0].done()
