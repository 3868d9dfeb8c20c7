"""Deduplication, ids, schedules: which job there is once, and which come by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline import Job
from pipeline.broker import parse
from pipeline.errors import InvalidOption
from pipeline.plan import BrokerPlan, Plan, PoolPlan, SchedulePlan, SupervisorPlan
from pipeline.policy import Deduplication, JobPolicy, QueuePolicy, RetryPolicy
from pipeline.schedule import moment, ticks, written
from pipeline.store import keys
from pipeline.store.connect import connect
from pipeline.store.operator import Operator
from tests.behaviours.conftest import behaviour, publish
from tests.supervisor.stage import Stage
from tests.worker.shop import PATIENCE, Shop, shop, until

HOUR = 3_600_000


async def echo(job: Job[Any]) -> Any:
    return job.data


# --- ids -----------------------------------------------------------------------------------------------


@behaviour(35)
async def test_an_id_that_came_before_is_answered_with_its_job_and_counted(broker: str) -> None:
    async with shop(broker, echo) as it:
        first = await it.client.enqueue("q", "echo", 1, id="evt_1")
        again = await it.client.enqueue("q", "echo", 2, id="evt_1")
        assert (first.status, again.status, again.id) == ("created", "duplicate", "evt_1")
        it.worker()
        assert (await it.ends_as("evt_1", "completed")).result == 1
        assert (await it.client.enqueue("q", "echo", 3, id="evt_1")).status == "duplicate"
        assert (await it.counts()).stats["duplicates"] == 2


@behaviour(35)
@pytest.mark.parametrize("id", ["17", "", "a b", "a/b", "é", "x" * 129, "a\n", "{a}"])
async def test_an_id_that_could_be_taken_for_another_is_refused(broker: str, id: str) -> None:
    async with shop(broker, echo) as it:
        with pytest.raises(InvalidOption, match="cannot be a job's id"):
            await it.enqueue("echo", id=id)


@behaviour(35)
async def test_ids_are_digits_also_after_any_number_of_jobs(broker: str, person: Operator) -> None:
    async with shop(broker, echo) as it:
        last = 10**15
        person.connection.call(("SET", keys.last_id(keys.base("shop", "q")), last))
        ids = [await it.enqueue("echo"), await it.enqueue("echo", priority=1)]
        ids += [one.id for one in await it.client.enqueue_many("q", [("echo", n) for n in range(3)])]
        assert ids == [str(last + n) for n in range(1, 6)]
        it.worker()
        for id in ids:
            await it.ends_as(id, "completed")


# --- deduplication -------------------------------------------------------------------------------------


async def dedup(it: Shop, mode: Any, ttl: int | None = None) -> None:
    """From now on jobs with the same `to` are one."""
    rule = Deduplication("{data.to}", mode, ttl)
    jobs = {name: replace(job, deduplication=rule) for name, job in it.policy.jobs.items()}
    await publish(it, jobs=jobs)


async def put(it: Shop, n: int, to: str = "ann") -> tuple[str, str]:
    accepted = await it.client.enqueue("q", "work", {"to": to, "n": n})
    return accepted.id, accepted.status


class Hands:
    """A handler whose jobs end when its gate opens; the first `fails` attempts fail."""

    def __init__(self, fails: int = 0) -> None:
        self.ran: list[int] = []
        self.gate = asyncio.Event()
        self.fails = fails

    async def work(self, job: Job[Any]) -> None:
        self.ran.append(job.data["n"])
        await self.gate.wait()
        if len(self.ran) <= self.fails:
            raise ValueError


@behaviour(36)
async def test_until_done_takes_the_key_for_as_long_as_the_job_lives_its_retries_too(broker: str) -> None:
    hands = Hands(fails=1)
    async with shop(broker, hands.work, retry=RetryPolicy(2)) as it:
        await dedup(it, "until_done")
        id, _ = await put(it, 1)
        assert await put(it, 2) == (id, "duplicate")
        assert (await put(it, 3, to="bob"))[1] == "created"
        it.worker()
        await until(lambda: len(hands.ran) == 2)
        assert await put(it, 4) == (id, "duplicate")
        hands.gate.set()
        await it.ends_as(id, "completed")
        assert (await put(it, 5))[1] == "created"


@behaviour(36)
async def test_throttle_takes_the_key_for_its_time_whatever_becomes_of_the_job(broker: str) -> None:
    hands = Hands()
    hands.gate.set()
    async with shop(broker, hands.work) as it:
        await dedup(it, "throttle", 150)
        it.worker()
        id, _ = await put(it, 1)
        await it.ends_as(id, "completed")
        assert await put(it, 2) == (id, "duplicate")
        await asyncio.sleep(0.16)
        assert (await put(it, 3))[1] == "created"


@behaviour(36)
async def test_debounce_runs_the_last_payload_once_it_has_been_quiet_for_its_time(broker: str) -> None:
    hands = Hands()
    async with shop(broker, hands.work) as it:
        await dedup(it, "debounce", 120)
        it.worker()
        loop = asyncio.get_running_loop()
        id, _ = await put(it, 1)
        for n in (2, 3):
            await asyncio.sleep(0.06)
            assert await put(it, n) == (id, "replaced")
        quiet = loop.time()
        await until(lambda: hands.ran)
        assert (hands.ran, loop.time() - quiet > 0.115) == ([3], True)
        # It runs: what comes now is another job.
        assert (await put(it, 4))[1] == "created"
        hands.gate.set()


@behaviour(36)
@pytest.mark.parametrize("fails", [0, 1], ids=["completed", "retried"])
async def test_keep_last_runs_the_newest_payload_after_the_one_that_runs_and_none_between(
    broker: str, fails: int
) -> None:
    hands = Hands(fails)
    async with shop(broker, hands.work, retry=RetryPolicy(2)) as it:
        await dedup(it, "keep_last")
        it.worker()
        await put(it, 1)
        await until(lambda: hands.ran == [1])
        follower, status = await put(it, 2)
        assert status == "created"
        for n in (3, 4):
            assert await put(it, n) == (follower, "replaced")
        hands.gate.set()
        await it.ends_as(follower, "completed")
        assert hands.ran == [1] * (fails + 1) + [4]


@behaviour(36)
async def test_a_pause_or_a_delay_does_not_free_a_key_and_a_removal_does(
    broker: str, person: Operator
) -> None:
    async with shop(broker, Hands().work) as it:
        await dedup(it, "until_done")
        person.pause("ann")
        accepted = await it.client.enqueue("q", "work", {"to": "ann"}, delay="20ms")
        assert await put(it, 1) == (accepted.id, "duplicate")
        await asyncio.sleep(0.03)
        assert await put(it, 2) == (accepted.id, "duplicate")
        person.remove(accepted.id)
        assert (await put(it, 3))[1] == "created"


# --- schedules -----------------------------------------------------------------------------------------


def shift(**more: Any) -> SchedulePlan:
    return SchedulePlan(**{"queue": "a", "job": "tidy", "every": HOUR, **more})


Begin = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def begin(broker: str) -> AsyncIterator[Begin]:
    """Starts a supervisor's schedule `beat` of the queue `a`."""
    connection = await connect(parse(broker))

    async def begin(**more: Any) -> Stage:
        queue = QueuePolicy("a", others=JobPolicy(handler="hands:tidy"))
        plan = Plan(
            "test", "/", "/p.yaml", "h1", BrokerPlan(), SupervisorPlan(), None,
            {"a": queue}, {"a": PoolPlan(("a",))}, schedules={"beat": shift(**more)},
        )  # fmt: skip
        stage: Stage = await Stage(connection, plan).publish()
        return stage

    yield begin
    connection.close()


@pytest.fixture
def planner(person: Operator) -> Operator:
    """A person, with that queue."""
    return Operator(person.connection, "test", "a")


@behaviour(37)
async def test_a_schedule_that_many_declare_at_once_is_one_and_fires_once_a_tick(begin: Begin) -> None:
    """There is no pending job: a tick becomes a job when it is due, so nothing has to be replaced."""
    supervisors = [await begin(every=100, catch_up="all") for _ in range(4)]
    await supervisors[0].rewind(500)
    for one in supervisors:
        one.leases.server_ms = await one.now() + (7 if one is supervisors[3] else 0)  # its clock is ahead
    await asyncio.gather(*(one.scheduler._round() for one in supervisors for _ in range(2)))
    ids = await supervisors[0].jobs()
    made = [int(id.removeprefix("beat:")) for id in ids]
    assert made == list(range(made[0], made[0] + 100 * len(made), 100))
    seen = await supervisors[0].standing()
    assert seen is not None
    assert (seen.fired, len(made) >= 5) == (len(made), True)


@behaviour(37)
async def test_a_changed_schedule_fires_as_it_says_now(begin: Begin) -> None:
    one = await begin(every=HOUR)
    changed = shift(every=100, data={"mode": "full"})
    one.fleet.plan = replace(one.fleet.plan, hash="h2", schedules={"beat": changed})
    await one.publish()
    await one.rewind(100)
    await one.look()
    jobs = await one.jobs()
    assert (await one.job(jobs[0])).data == {"mode": "full"}


@behaviour(38)
@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ({"cron": "0 9 * * *", "timezone": "Europe/Paris"}, "2026-03-28T12:00", ["29T09:00:00+02:00"]),
        ({"cron": "0 9 * * *", "timezone": "America/New_York"}, "2026-03-28T12:00", ["29T09:00:00-04:00"]),
        ({"every": HOUR, "start": "2026-03-28T12:30"}, "2026-03-01T00:00", ["28T12:30:00+00:00", "28T13:30:00+00:00"]),
        ({"every": HOUR, "end": "2026-03-28T13:00"}, "2026-03-28T12:00", ["28T13:00:00+00:00"]),
    ],
    ids=["zone over a change of the clocks", "another zone", "start, which is also the offset", "end"],
)  # fmt: skip
def test_a_schedule_keeps_to_its_zone_start_and_end(
    schedule: dict[str, Any], after: str, expected: list[str]
) -> None:
    more = {
        name: moment(value, "UTC") if name in ("start", "end") else value for name, value in schedule.items()
    }
    one = shift(**({"every": None} | more))
    found = [written(tick, one.timezone) for tick in islice(ticks(one, moment(after, one.timezone)), 2)]
    assert [time.removeprefix("2026-03-") for time in found][: len(expected)] == expected
    assert "end" not in schedule or len(found) == 1


@behaviour(38)
async def test_a_schedule_ends_at_its_limit(begin: Begin) -> None:
    one = await begin(every=100, catch_up="all", limit=2)
    await one.rewind(1_000)
    await one.look()
    await one.look()
    assert len(await one.jobs()) == 2


@behaviour(38)
async def test_a_schedule_goes_on_whatever_becomes_of_its_jobs_and_a_redrive_makes_no_other_run(
    begin: Begin, planner: Operator
) -> None:
    one = await begin(every=100)
    await one.rewind(100)
    await one.look()
    (first, *_) = await one.jobs()
    planner.cancel(first)
    planner.purge()
    fired = (await one.standing()).fired
    planner.redrive(first)
    assert (await one.standing()).fired == fired
    async with asyncio.timeout(PATIENCE):
        while (await one.standing()).fired == fired:
            await one.look()


@behaviour(39)
async def test_a_schedule_that_the_file_has_no_more_fires_no_more(begin: Begin, planner: Operator) -> None:
    """What it made before is a job like any other, and may be removed alone."""
    one = await begin(every=100)
    await one.rewind(100)
    await one.look()
    made = await one.jobs()
    one.fleet.plan = replace(one.fleet.plan, hash="h2", schedules={})
    await one.publish()
    await asyncio.sleep(0.15)
    await one.look()
    assert await one.jobs() == made
    assert await one.standing() is None
    assert planner.remove(made[0]) == "waiting"
