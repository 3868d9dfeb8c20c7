"""Isolation, cancel, reads: what one job can do to others, how it is stopped, and what can be seen."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline import Discard, Job
from pipeline.config.load import load
from pipeline.doctor.durability import compare
from pipeline.doctor.facts import Facts
from pipeline.errors import WrongState
from pipeline.plan import BrokerPlan
from pipeline.policy import RetryPolicy
from pipeline.store import keys
from pipeline.store.operator import Operator
from pipeline.worker.frames import NotLoaded
from tests.behaviours.conftest import behaviour
from tests.worker.shop import shop

APART = """
import os, signal

def ends(job):
    match job.data:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case int(code):
            os._exit(code)
        case "raise":
            raise ValueError
    return os.getpid()
"""


def ends(job: Job[Any]) -> int:
    """Its place is in a process of its own; see APART."""
    raise AssertionError


# --- isolation -----------------------------------------------------------------------------------------


@behaviour(40)
@pytest.mark.parametrize("how", [0, 3, "kill"], ids=["exit 0", "exit 3", "SIGKILL"])
async def test_a_process_that_ends_under_its_job_fails_only_that_and_is_not_used_again(
    broker: str, tmp_path: Path, how: Any
) -> None:
    (tmp_path / "ends_apart.py").write_text(APART)
    apart: dict[str, Any] = {"module": "ends_apart", "root": str(tmp_path), "executor": "process"}
    async with shop(broker, ends, concurrency=1, max_crashes=1, **apart) as it:
        it.worker()
        before = (await it.ends_as(await it.enqueue("ends"), "completed")).result
        job = await it.ends_as(await it.enqueue("ends", how), "dead")
        assert (job.error and job.error.type, job.crashes) == ("WorkerCrashed", 1)
        after = (await it.ends_as(await it.enqueue("ends"), "completed")).result
        assert len({before, after, os.getpid()}) == 3
        assert it.retired == []


@behaviour(40)
async def test_a_handler_that_raises_in_a_process_of_its_own_leaves_the_process_as_it_is(
    broker: str, tmp_path: Path
) -> None:
    (tmp_path / "ends_apart.py").write_text(APART)
    apart: dict[str, Any] = {"module": "ends_apart", "root": str(tmp_path), "executor": "process"}
    async with shop(broker, ends, concurrency=1, **apart) as it:
        it.worker()
        before = (await it.ends_as(await it.enqueue("ends"), "completed")).result
        await it.ends_as(await it.enqueue("ends", "raise"), "dead")
        assert (await it.ends_as(await it.enqueue("ends"), "completed")).result == before


@behaviour(40)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def other(job): ...", "has no 'ends'"),
        ("def ends(job:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
    ],
    ids=["missing", "not Python", "raises"],
)
async def test_a_file_that_does_not_load_keeps_the_worker_from_starting(
    broker: str, tmp_path: Path, text: str, reason: str
) -> None:
    """No job is failed for it: they wait until the file is put right."""
    (tmp_path / "broken_apart.py").write_text(text)
    apart: dict[str, Any] = {"module": "broken_apart", "root": str(tmp_path), "executor": "process"}
    async with shop(broker, ends, concurrency=1, **apart) as it:
        with pytest.raises(NotLoaded, match=reason):
            await it.worker().loaded()


# --- cancel --------------------------------------------------------------------------------------------


@behaviour(41)
async def test_a_cancel_reaches_the_job_that_is_named_and_no_other(broker: str) -> None:
    """It has no reason to pass on, and one command or call is for one job."""
    stopped: list[str] = []

    async def long(job: Job[Any]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(job.id)
            raise

    async with shop(broker, long) as it:
        it.worker()
        ids = [await it.enqueue("long") for _ in range(3)]
        for id in ids:
            await it.ends_as(id, "active")
        assert await it.client.cancel("q", ids[1]) == "active"
        await it.ends_as(ids[1], "cancelled")
        assert stopped == [ids[1]]
        assert [(await it.client.job("q", id)).state for id in ids] == ["active", "cancelled", "active"]


@behaviour(41)
@pytest.mark.parametrize(("error", "state"), [(ValueError, "cancelled"), (Discard, "dead")])
async def test_a_cancelled_job_is_not_retried_whatever_it_raises_then(
    broker: str, error: type[Exception], state: str
) -> None:
    """Whoever wants it to run again redrives it. A handler that discards it has the last word."""
    attempts: list[int] = []

    async def defiant(job: Job[Any]) -> None:
        attempts.append(job.attempt)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise error from None

    async with shop(broker, defiant, retry=RetryPolicy(3)) as it:
        it.worker()
        id = await it.enqueue("defiant")
        await it.ends_as(id, "active")
        await it.client.cancel("q", id)
        job = await it.ends_as(id, "cancelled", "dead", "completed", "delayed")
        assert (job.state, attempts) == (state, [1])


@behaviour(41)
async def test_a_handler_that_does_not_care_that_it_is_cancelled_ends_as_it_ends(broker: str) -> None:
    gate = asyncio.Event()

    async def stubborn(job: Job[Any]) -> str:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                gate.set()
        return "done"

    async with shop(broker, stubborn) as it:
        it.worker()
        id = await it.enqueue("stubborn")
        await it.ends_as(id, "active")
        await it.client.cancel("q", id)
        assert (await it.ends_as(id, "completed", "cancelled")).result == "done"


@behaviour(41)
async def test_a_cancel_of_a_job_that_has_ended_says_so_and_changes_nothing(
    broker: str, person: Operator
) -> None:
    async def quick(job: Job[Any]) -> None:
        if job.data:
            raise ValueError

    async with shop(broker, quick) as it:
        it.worker()
        for data, state in ((0, "completed"), (1, "dead")):
            id = await it.enqueue("quick", data)
            before = await it.ends_as(id, state)
            assert await it.client.cancel("q", id) == state
            with pytest.raises(WrongState, match=f"is {state} already"):
                person.cancel(id)
            assert await it.client.job("q", id) == before


# --- reads ---------------------------------------------------------------------------------------------


@behaviour(43)
async def test_counts_and_lists_show_each_state_newest_first_in_pages_and_mixed(
    broker: str, person: Operator
) -> None:
    """A page is what comes after an id, and not a range of numbers: what ends meanwhile shifts no page."""

    async def work(job: Job[Any]) -> None:
        if job.data == "dead":
            raise ValueError
        if job.data == "active":
            await asyncio.Event().wait()

    async with shop(broker, work) as it:
        it.worker()
        ids: dict[str, list[str]] = {}
        for state in ("completed", "dead", "active"):
            ids[state] = [await it.enqueue("work", state) for _ in range(3)]
            for id in ids[state]:
                await it.ends_as(id, state)
        person.pause("ann")
        ids["delayed"] = [await it.enqueue("work", delay=f"{n}h") for n in (1, 2)]
        ids["waiting"] = [await it.enqueue("work") for _ in range(4)]
        counts = await it.counts()
        assert {state: getattr(counts, state) for state in ids} == {
            state: len(some) for state, some in ids.items()
        }
        for state, some in ids.items():
            assert {job.id for job in person.jobs([state])} == set(some)  # type: ignore[list-item]
        waiting = [job.id for job in person.jobs(["waiting"])]
        assert waiting == ids["waiting"][::-1]
        assert [job.id for job in person.jobs(["waiting"], after=waiting[1])] == waiting[2:]
        assert list(person.jobs(["waiting"], after=waiting[-1])) == []
        assert {job.state for job in person.jobs(["waiting", "dead"])} == {"waiting", "dead"}
        assert len(list(person.jobs(["waiting", "dead"]))) == 7


@behaviour(43)
async def test_a_list_leaves_out_ids_whose_job_is_gone(broker: str, person: Operator) -> None:
    async def work(job: Job[Any]) -> None: ...

    async with shop(broker, work) as it:
        ids = [await it.enqueue("work") for _ in range(3)]
        person.connection.call(("HDEL", keys.jobs(keys.base("shop", "q")), ids[1]))
        assert [job.id for job in person.jobs(["waiting"])] == [ids[2], ids[0]]


# --- warnings and refusals -----------------------------------------------------------------------------


@behaviour(45)
@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "noeviction"])
def test_a_server_that_may_evict_jobs_is_refused(policy: str) -> None:
    """They warn; ours does not start, unless the file accepts it."""
    facts = Facts({"redis_version": "7.4.1", "role": "master"}, {"maxmemory-policy": policy})
    found = [next(compare(facts, BrokerPlan(allow_eviction=accepts))) for accepts in (False, True)]
    assert [check.name for check in found] == ["eviction"] * 2
    expected = ["ok", "ok"] if policy == "noeviction" else ["FAILED", "WEAK"]
    assert [check.verdict for check in found] == expected


@behaviour(45)
@pytest.mark.parametrize(
    "option",
    [
        "concurrency: 0", "concurrency: .nan", "concurrency: -1", "processes: 0", "max_crashes: 0", "max_crashes: -1",
        "max_active: 0", "rate_limit: {max: 0, per: 1s}", "rate_limit: {max: 5, per: 0s}", "timeout: 0s",
        "retry: {attempts: 0}", "retry: {attempts: 2, backoff: {type: fixed, delay: -1s}}", "ids: {keep: -1s}",
    ],
)  # fmt: skip
def test_an_option_that_cannot_work_is_found_before_anything_starts(tmp_path: Path, option: str) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(f"name: shop\nqueues:\n  q:\n    handler: hands:work\n    {option}\n")
    loaded = load(file, env={})
    assert loaded.plan is None
    assert any(finding.severity == "error" for finding in loaded.findings)
