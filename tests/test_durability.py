"""A job is accepted when what `broker.durability` says has happened, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipeline import AsyncClient, Client
from pipeline.broker import parse
from pipeline.errors import BrokerRefused, BrokerUnavailable, Unconfirmed
from pipeline.plan import BrokerPlan
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import Call, run_blocking
from pipeline.store.confirm import Confirm, of_file, run_confirmed
from pipeline.store.connect import connect
from pipeline.store.reader import Counts, Reader
from pipeline.store.store import NewJob, Store
from pipeline.supervisor.publish import publish_queue
from tests.pair import Pair, eventually

EMAILS = QueuePolicy("emails", others=JobPolicy(handler="shop:send"))
STORE = Store("shop", "emails")


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.end()


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    servers.primary.call("FLUSHALL")
    servers.primary.call("CONFIG", "RESETSTAT")
    yield servers
    servers.replica.thaw()
    with_settings(servers, appendonly="yes", min_replicas_to_write="0")
    eventually(servers.is_joined, "the replica is back")


def with_settings(pair: Pair, **settings: str) -> None:
    for name, value in settings.items():
        pair.primary.call("CONFIG", "SET", name.replace("_", "-"), value)


def publish(pair: Pair, confirm: Confirm | None) -> None:
    async def work() -> None:
        connection = await connect(parse(pair.primary.url))
        await publish_queue(connection, "shop", EMAILS, 1, confirm)
        connection.close()

    asyncio.run(work())


def counts(pair: Pair) -> Counts:
    connection = pair.primary.connect()
    found = run_blocking(connection, Reader("shop", "emails").counts())
    connection.close()
    return found


def calls(pair: Pair, command: str) -> int:
    """How often the primary ran a command."""
    told = pair.primary.about(f"cmdstat_{command}") or "calls=0,"
    return int(told.partition("calls=")[2].partition(",")[0])


def forget_scripts(pair: Pair) -> None:
    """And wait until the replica has all that was written so far."""
    connection = pair.primary.connect()
    for command in (("SCRIPT", "FLUSH"), ("SET", "written", "last")):
        connection.call(command)
    assert connection.call(("WAIT", 1, 10_000)) == 1
    connection.close()


def someone_waits(pair: Pair) -> bool:
    return pair.primary.about("blocked_clients") != "0"


# --- replicas ------------------------------------------------------------------------------------------


def test_a_job_that_the_replica_has_is_accepted(pair: Pair) -> None:
    publish(pair, Confirm(1))
    with Client(pair.primary.url, "shop") as client:
        assert client.enqueue("emails", "send", {}).status == "created"
        assert client.enqueue("emails", "send", {}, id="x").status == "created"
        assert len(client.enqueue_many("emails", [("send", n) for n in range(3)])) == 3
    # The server counts one that it makes wait more than once.
    assert calls(pair, "wait") >= 3


def test_a_job_that_the_replica_may_not_have_is_not_accepted_and_says_how_many_have_it(pair: Pair) -> None:
    publish(pair, Confirm(1))
    with Client(pair.primary.url, "shop", timeout=0.5) as client:
        pair.replica.freeze()
        with pytest.raises(Unconfirmed, match="only 0 of 1 replicas confirmed it") as refused:
            client.enqueue("emails", "send", {})
    assert "the job may be there" in refused.value.message
    assert "a call with an id= can be repeated" in refused.value.help


def test_a_call_waits_for_a_replica_that_stands_still_and_makes_one_job(pair: Pair) -> None:
    publish(pair, Confirm(1))
    with Client(pair.primary.url, "shop", timeout=30) as client, ThreadPoolExecutor() as threads:
        client.enqueue("emails", "send", {})
        pair.replica.freeze()
        before = calls(pair, "evalsha")
        answer = threads.submit(client.enqueue, "emails", "send", {})
        eventually(lambda: calls(pair, "evalsha") > before + 1, "the call was repeated")
        assert not answer.done()
        pair.replica.thaw()
        assert answer.result(10).status == "created"
    assert counts(pair).waiting == 2


@pytest.mark.parametrize("own_id", [None, "x"])
def test_coroutines_wait_for_a_replica_and_share_their_questions(pair: Pair, own_id: str | None) -> None:
    publish(pair, Confirm(1))

    async def work() -> None:
        async with AsyncClient(pair.primary.url, "shop", timeout=30) as client:
            await client.enqueue("emails", "send", {})
            pair.replica.freeze()
            ids = [own_id and f"{own_id}{n}" for n in range(20)]
            tasks = [asyncio.create_task(client.enqueue("emails", "send", {}, id=id)) for id in ids]
            await asyncio.to_thread(eventually, lambda: someone_waits(pair), "the first question is asked")
            more = [asyncio.create_task(client.enqueue("emails", "send", n)) for n in range(20)]
            await asyncio.sleep(0)
            assert not any(task.done() for task in [*tasks, *more])
            pair.replica.thaw()
            answers = await asyncio.gather(*tasks, *more)
            assert len({answer.id for answer in answers}) == 40

    asyncio.run(work())
    assert counts(pair).waiting == 41
    assert calls(pair, "wait") <= 5


def test_a_coroutine_is_told_when_its_job_was_not_confirmed(pair: Pair) -> None:
    publish(pair, Confirm(1))

    async def work() -> None:
        async with AsyncClient(pair.primary.url, "shop", timeout=0.5) as client:
            await client.enqueue("emails", "send", {})
            pair.replica.freeze()
            with pytest.raises(Unconfirmed, match="only 0 of 1 replicas confirmed it"):
                await client.enqueue("emails", "send", {})

    asyncio.run(work())


def test_a_question_that_overtook_its_job_is_asked_again(pair: Pair) -> None:
    """The server has forgotten the script: the enqueue is sent again, behind the question."""
    publish(pair, Confirm(1))

    async def work() -> None:
        async with AsyncClient(pair.primary.url, "shop", timeout=0.5) as client:
            await client.enqueue("emails", "send", {})
            forget_scripts(pair)
            pair.replica.freeze()
            with pytest.raises(BrokerUnavailable):
                await client.enqueue("emails", "send", {})

    asyncio.run(work())


def test_a_producer_without_a_script_is_not_confirmed_by_what_came_before(pair: Pair) -> None:
    publish(pair, Confirm(1))
    with Client(pair.primary.url, "shop", timeout=0.5) as client:
        client.enqueue("emails", "send", {})
        forget_scripts(pair)
        pair.replica.freeze()
        with pytest.raises(Unconfirmed):
            client.enqueue("emails", "send", {})


@pytest.mark.parametrize("kind", ["plain", "each", "after a new generation"])
def test_a_call_that_is_repeated_elsewhere_is_not_confirmed_before_the_replica_has_it(
    pair: Pair, kind: str
) -> None:
    """It changes nothing, and a connection that wrote nothing would be told that all replicas have all of it."""
    publish(pair, Confirm(1))
    if kind == "each":
        call: Call[Any] = STORE.enqueue_each(
            "p", 1, "1", [NewJob("x", 0, "", "", "", "", "", b'[1,"send",{}]')]
        )
    else:
        call = STORE.enqueue("p", 1, "1", 0, [b'[1,"send",{}]'])
    pair.replica.freeze()
    first, second = pair.primary.connect(), pair.primary.connect()
    run_blocking(first, call)
    if kind == "after a new generation":
        run_blocking(first, STORE.publish(2, b"{}", ""))
    with pytest.raises(Unconfirmed, match="only 0 of 1"):
        run_confirmed(second, call, Confirm(1), 0.2)
    hang_up(first, second)


def hang_up(*connections: BlockingConnection) -> None:
    for connection in connections:
        connection.close()


def test_a_server_that_takes_no_writes_without_replicas_is_as_good_as_away(pair: Pair) -> None:
    publish(pair, Confirm(1))
    with_settings(pair, min_replicas_to_write="2")
    with (
        Client(pair.primary.url, "shop", timeout=0.3) as client,
        pytest.raises(BrokerUnavailable, match="too few of its replicas"),
    ):
        client.enqueue("emails", "send", {})
    assert counts(pair).waiting == 0


# --- fsync, everysec -----------------------------------------------------------------------------------


def test_every_second_means_no_question_at_all(pair: Pair) -> None:
    publish(pair, None)

    async def work() -> None:
        async with AsyncClient(pair.primary.url, "shop") as client:
            await client.enqueue("emails", "send", {})

    with Client(pair.primary.url, "shop") as client:
        client.enqueue("emails", "send", {})
        asyncio.run(work())
    assert (calls(pair, "wait"), calls(pair, "waitaof")) == (0, 0)
    assert counts(pair).waiting == 2


def skip_without_waitaof(pair: Pair) -> None:
    try:
        pair.primary.call("WAITAOF", 0, 0, 0)
    except BrokerRefused:
        pytest.skip("this server is too old for WAITAOF")


def test_fsync_waits_for_the_file_of_a_server_that_writes_it_each_second(pair: Pair) -> None:
    skip_without_waitaof(pair)
    publish(pair, Confirm())
    with Client(pair.primary.url, "shop") as client:
        client.enqueue("emails", "send", {})
    assert calls(pair, "waitaof") >= 1


def test_fsync_without_a_file_accepts_nothing(pair: Pair) -> None:
    skip_without_waitaof(pair)
    publish(pair, Confirm())
    with_settings(pair, appendonly="no")
    with (
        Client(pair.primary.url, "shop", timeout=0.3) as client,
        pytest.raises(Unconfirmed, match=r"does not confirm it.*appendonly"),
    ):
        client.enqueue("emails", "send", {})


def test_a_server_that_does_not_know_the_question_is_taken_at_its_settings() -> None:
    unknown = Exception("ERR unknown command 'WAITAOF', with args beginning with: '1'")
    assert Confirm().trouble(unknown) is None
    assert Confirm().trouble([1, 0]) is None
    assert Confirm().trouble([0, 1]) is not None


# --- how a producer learns of it -----------------------------------------------------------------------


def test_a_producer_that_knows_the_old_condition_hears_of_another_one_with_its_generation(pair: Pair) -> None:
    publish(pair, None)
    with Client(pair.primary.url, "shop") as client:
        client.enqueue("emails", "send", {})
        pair.primary.call("HSET", "{shop:emails}:meta", "confirm", "1", "generation", "2")
        client.enqueue("emails", "send", {})
    assert calls(pair, "wait") >= 1


@pytest.mark.parametrize(
    ("broker", "confirm"),
    [
        (BrokerPlan("redis://queue"), None),
        (BrokerPlan("redis://queue", "fsync"), Confirm()),
        (BrokerPlan("redis://queue", 2), Confirm(2)),
        (BrokerPlan("embedded", "fsync"), None),
    ],
)
def test_before_a_supervisor_ran_the_file_says_what_to_wait_for(
    broker: BrokerPlan, confirm: Confirm | None
) -> None:
    assert of_file(broker) == confirm


@pytest.mark.parametrize("confirm", [Confirm(), Confirm(1), Confirm(16)])
def test_a_condition_is_published_as_text(confirm: Confirm) -> None:
    assert Confirm.read(str(confirm)) == confirm
    assert Confirm.read("") is None
