"""The generations that were applied are kept in the broker: the last ones, whole, and without secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from msgspec.structs import replace

from pipeline.broker import parse
from pipeline.plan import BrokerPlan, Plan, PoolPlan, RecyclePlan, SupervisorPlan
from pipeline.policy import Backoff, Deduplication, JobPolicy, QueuePolicy, RetryPolicy
from pipeline.store import history, keys
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect, connect_blocking
from pipeline.store.history import Applied

JOB = JobPolicy(
    handler="hands:send",
    retry=RetryPolicy(5, Backoff("list", delays=(1_000, 60_000)), ("OSError",), ("KeyError",)),
    deduplication=Deduplication("{data.id}", "throttle", 60_000),
    schema={"type": "object", "required": ["id"]},
)
PLAN = Plan(
    name="shop",
    root="/srv/shop",
    file="/srv/shop/configs/prod.yaml",
    hash="5f1e",
    broker=BrokerPlan("rediss://shop:hunter2@queue.internal", "fsync"),
    supervisor=SupervisorPlan(lease=20_000),
    setup="hands:boot",
    queues={"emails": QueuePolicy("emails", {"send": JOB}, concurrency=50)},
    pools={"emails": PoolPlan(("emails",), 2, RecyclePlan(max_jobs=1_000))},
    profile="dev",
    inputs=("/srv/shop/configs/prod.yaml", "/srv/shop/secrets/broker"),
    secrets=("hunter2", "sk_live_1"),
)


def applied(generation: int, plan: Plan = PLAN) -> Applied:
    return Applied(generation, plan.hash, 1_700_000_000_000, "ann@box", plan.file, "reload", plan)


@pytest.fixture
def connection(broker: str) -> Iterator[BlockingConnection]:
    connection = connect_blocking(parse(broker))
    yield connection
    connection.close()


def remember(url: str, generations: list[Applied], **options: int) -> None:
    async def all_of_them() -> None:
        connection = await connect(parse(url))
        for one in generations:
            await history.remember(connection, "shop", one, **options)
        connection.close()

    asyncio.run(all_of_them())


def kept(connection: BlockingConnection) -> list[int]:
    return [one.generation for one in run_blocking(connection, history.read("shop"))]


def test_a_plan_comes_back_as_it_was_but_for_what_only_its_host_may_know(
    broker: str, connection: BlockingConnection
) -> None:
    remember(broker, [applied(1)])
    public = replace(PLAN, broker=BrokerPlan("", "fsync"), inputs=(), secrets=())
    assert run_blocking(connection, history.read("shop")) == [applied(1, public)]


def test_no_secret_reaches_the_broker(broker: str, connection: BlockingConnection) -> None:
    remember(broker, [applied(1)])
    (stored,) = connection.call(("HVALS", keys.history("shop")))
    for hidden in (b"hunter2", b"sk_live_1", b"queue.internal"):
        assert hidden not in stored


def test_the_newest_comes_first_by_number(broker: str, connection: BlockingConnection) -> None:
    remember(broker, [applied(number) for number in (9, 11, 2, 10)])
    assert kept(connection) == [11, 10, 9, 2]


def test_the_last_20_are_kept(broker: str, connection: BlockingConnection) -> None:
    remember(broker, [applied(number) for number in range(1, 24)])
    assert kept(connection) == list(range(23, 3, -1))


def test_fewer_are_kept_when_told(broker: str, connection: BlockingConnection) -> None:
    remember(broker, [applied(number) for number in range(8, 13)], keep=2)
    assert kept(connection) == [12, 11]


def test_the_same_generation_is_kept_once_as_it_was_last(broker: str, connection: BlockingConnection) -> None:
    remember(broker, [applied(1), applied(1, replace(PLAN, hash="77aa"))])
    assert [one.hash for one in run_blocking(connection, history.read("shop"))] == ["77aa"]


def test_each_project_has_its_own(broker: str, connection: BlockingConnection) -> None:
    remember(broker, [applied(1)])
    assert run_blocking(connection, history.read("mart")) == []


def test_one_generation_can_be_read(broker: str, connection: BlockingConnection) -> None:
    remember(broker, [applied(1), applied(2)])
    found = run_blocking(connection, history.one("shop", 2))
    assert found is not None
    assert found.generation == 2
    assert run_blocking(connection, history.one("shop", 3)) is None


def record(**other: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(applied(2)) | other)


@pytest.mark.parametrize(
    "text",
    [b"", b"no json", b"\xff\xfe", b"[]", b"{}", record(origin="a new one"), record(plan={"name": "shop"})],
)
def test_what_another_version_wrote_is_passed_over(
    broker: str, connection: BlockingConnection, text: bytes
) -> None:
    connection.call(("HSET", keys.history("shop"), 2, text))
    connection.call(("HSET", keys.history("shop"), "newest", text))
    remember(broker, [applied(1), applied(3)])
    assert kept(connection) == [3, 1]
    assert run_blocking(connection, history.one("shop", 2)) is None


def test_what_a_newer_version_says_besides_does_no_harm(broker: str, connection: BlockingConnection) -> None:
    connection.call(("HSET", keys.history("shop"), 2, record(mood="fine")))
    assert kept(connection) == [2]
