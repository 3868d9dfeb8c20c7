"""A supervisor's alerts: who sends, when, and that nobody waits for a receiver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.job import KeptError, Outcome, encode
from pipeline.plan import AlertPlan, Plan
from pipeline.policy import DeadLetter, Retention, WaitLimit
from pipeline.store import keys
from pipeline.store.wire import Connection
from pipeline.supervisor import alerts as module
from pipeline.supervisor.alerts import Alerts
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.logs import Logs
from tests.alerts.receiver import Receiver, receiving
from tests.supervisor.children import Office

PATIENCE = 10.0
BASE = keys.base("test", "a")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def told(plan: Plan, receiver: Receiver) -> Plan:
    """The plan, with the receiver as its alert `oncall`."""
    queue = replace(plan.queues["a"], dead_letter=DeadLetter(alert="oncall"))
    return replace(plan, queues={"a": queue}, alerts={"oncall": AlertPlan(url=receiver.url)})


def supervisor(plan: Plan, lines: list[str]) -> Alerts:
    logs = Logs(lambda line: lines.append(line.line))
    return Alerts(Fleet(plan, None, "", logs, Office()), logs, lambda: 3)


@pytest.fixture
async def alerts(told: Plan, lines: list[str], connection: Connection) -> AsyncIterator[Alerts]:
    found = supervisor(told, lines)
    await found.look(connection)
    yield found
    await idle(found)


async def idle(alerts: Alerts) -> None:
    async with asyncio.timeout(PATIENCE):
        while alerts._sending:
            await asyncio.wait(list(alerts._sending.values()))


async def die(connection: Connection, *ids: str, type: str = "ValueError") -> None:
    """What the broker has of jobs that died."""
    for id in ids:
        at = int(time.time() * 1000)
        outcome = Outcome(1, at, at, None, KeptError(1, at, type, f"no {id}"))
        await connection.call(("HSET", keys.outcomes(BASE), id, encode(outcome)))
        await connection.call(("ZADD", keys.dead(BASE), at, id))
        await connection.call(("HINCRBY", keys.stats(BASE), "dead", 1))


def change(alerts: Alerts, **own: Any) -> None:
    """A hot change of the alert."""
    plan = alerts._fleet.plan
    alerts._fleet.plan = replace(plan, alerts={"oncall": replace(plan.alerts["oncall"], **own)})


async def test_deaths_are_told_once_by_one_of_several_supervisors(
    alerts: Alerts, told: Plan, lines: list[str], receiver: Receiver, connection: Connection
) -> None:
    other = supervisor(told, lines)
    await die(connection, "1", "2")
    for one in (alerts, other, alerts, other):
        await one.look(connection)
        await idle(one)
    (body,) = receiver.bodies
    assert (body["event"], body["subject"], body["count"]) == ("dead", "a", 2)
    assert "2 x ValueError: no <n>" in body["text"]


async def test_what_is_held_back_comes_later_with_its_count(
    alerts: Alerts, receiver: Receiver, connection: Connection
) -> None:
    for id in ("1", "2", "3"):
        await die(connection, id)
        await alerts.look(connection)
        await idle(alerts)
    assert [body["count"] for body in receiver.bodies] == [1]
    change(alerts, throttle=1)
    await asyncio.sleep(0.01)
    await alerts.look(connection)
    await idle(alerts)
    assert [body["count"] for body in receiver.bodies] == [1, 2]


async def test_jobs_that_were_dead_before_are_no_news(
    told: Plan, lines: list[str], receiver: Receiver, connection: Connection
) -> None:
    await die(connection, "1")
    late = supervisor(told, lines)
    await late.look(connection)
    await idle(late)
    assert receiver.bodies == []


async def test_a_receiver_that_fails_gets_it_later_and_status_says_so(
    alerts: Alerts, receiver: Receiver, lines: list[str], connection: Connection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "HOLD", 30)
    receiver.status = 500
    await die(connection, "1")
    for _ in range(3):
        await alerts.look(connection)
        await idle(alerts)
        await asyncio.sleep(0.04)
    assert alerts.troubles == {"oncall": "it answered 500"}
    assert lines == ["alert oncall did not arrive: it answered 500; it is tried again"]
    assert len(receiver.bodies) == 3
    receiver.status = 200
    await die(connection, "2")
    await alerts.look(connection)
    await idle(alerts)
    assert alerts.troubles == {}
    assert receiver.bodies[-1]["count"] == 2


async def test_a_slow_receiver_holds_nothing_up(
    alerts: Alerts, receiver: Receiver, connection: Connection
) -> None:
    receiver.delay = 0.5
    await die(connection, "1")
    begun = time.monotonic()
    for _ in range(20):
        alerts.note("the file is broken")
        await alerts.look(connection)
    assert time.monotonic() - begun < 0.3
    await idle(alerts)
    assert len(receiver.bodies) == 1


async def test_a_queue_that_names_no_alert_is_not_looked_at(
    plan: Plan, lines: list[str], connection: Connection
) -> None:
    before = await commands(connection)
    await supervisor(plan, lines).look(connection)
    assert await commands(connection) == before + 1


async def commands(connection: Connection) -> int:
    text = (await connection.call(("INFO", "stats"))).decode()
    return int(text.partition("total_commands_processed:")[2].split()[0])


async def test_before_dead_jobs_are_trimmed_it_is_told_and_when_it_begins(
    told: Plan, lines: list[str], receiver: Receiver, connection: Connection
) -> None:
    queue = replace(told.queues["a"], dead=Retention(10, None))
    plan = replace(told, queues={"a": queue}, alerts={"oncall": replace(told.alerts["oncall"], throttle=1)})
    alerts = supervisor(plan, lines)
    await alerts.look(connection)
    for step, count in enumerate((8, 1, 1, 1)):
        await die(connection, *(f"{step}-{n}" for n in range(count)))
        for _ in range(3):
            await alerts.look(connection)
            await idle(alerts)
            await asyncio.sleep(0.005)
    full = [body["text"] for body in receiver.bodies if body["event"] == "full"]
    assert [text.splitlines()[0] for text in full] == [
        "test: a keeps 9 dead jobs of at most 10: beyond that the oldest are deleted",
        "test: a keeps 10 dead jobs of at most 10: the oldest are deleted now",
    ]


async def test_a_job_that_waits_too_long_is_told(
    told: Plan, lines: list[str], receiver: Receiver, connection: Connection
) -> None:
    queue = replace(told.queues["a"], wait_limit=WaitLimit(100, "oncall"))
    alerts = supervisor(replace(told, queues={"a": queue}), lines)
    await connection.call(("HSET", keys.jobs(BASE), "1", '[1,"job",null]'))
    await connection.call(("ZADD", keys.levels(BASE), 0, "0"))
    await connection.call(("RPUSH", keys.wait(BASE, 0), "1"))
    until = time.monotonic() + PATIENCE
    while not receiver.bodies and time.monotonic() < until:
        await alerts.look(connection)
        await asyncio.sleep(0.01)
    await idle(alerts)
    assert receiver.bodies[0]["event"] == "waiting"
    assert "longer than 100ms" in receiver.bodies[0]["text"]


async def test_a_fatal_pool_and_a_rejected_file_are_told_without_a_broker(
    alerts: Alerts, receiver: Receiver
) -> None:
    (pool,) = alerts._fleet.pools
    pool.state, pool.reason = "fatal", "cannot start: no module"
    for _ in range(5):
        alerts.note("p.yaml:3:4: a mistake\n  more of it")
        await idle(alerts)
    events = {body["event"]: body["text"] for body in receiver.bodies}
    assert events["fatal"].endswith("is FATAL: cannot start: no module")
    assert events["rejected"].endswith("generation 3 goes on: p.yaml:3:4: a mistake")
    assert len(receiver.bodies) == 2


async def test_events_that_an_alert_does_not_tell_are_not_sent(alerts: Alerts, receiver: Receiver) -> None:
    change(alerts, events=("fatal",))
    alerts.note("a mistake")
    await idle(alerts)
    assert receiver.bodies == []


async def test_what_is_due_is_sent_before_the_supervisor_ends(
    alerts: Alerts, receiver: Receiver, connection: Connection
) -> None:
    await die(connection, "1")
    receiver.delay = 0.1
    await alerts.finish(connection, "a mistake")
    assert {body["event"] for body in receiver.bodies} == {"dead", "rejected"}


async def test_while_a_queue_is_paused_its_jobs_do_not_wait_too_long(
    told: Plan, lines: list[str], receiver: Receiver, connection: Connection
) -> None:
    queue = replace(told.queues["a"], wait_limit=WaitLimit(60, "oncall"))
    alerts = supervisor(replace(told, queues={"a": queue}), lines)
    await connection.call(("HSET", keys.jobs(BASE), "1", '[1,"job",null]'))
    await connection.call(("ZADD", keys.levels(BASE), 0, "0"))
    await connection.call(("RPUSH", keys.wait(BASE, 0), "1"))
    await alerts.look(connection)
    await connection.call(("HSET", keys.meta(BASE), "paused", "{}"))
    for _ in range(10):
        await alerts.look(connection)
        await asyncio.sleep(0.01)
    await connection.call(("HDEL", keys.meta(BASE), "paused"))
    await alerts.look(connection)
    await idle(alerts)
    assert receiver.bodies == []
