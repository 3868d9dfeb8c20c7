"""Producers: what a caller is told, from any thread or process, on the network's good and bad days."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faults.proxy import Proxy
from pipeline import AsyncClient, Client
from pipeline.broker import parse
from pipeline.errors import (
    BrokerUnavailable,
    InvalidPayload,
    JobNotFound,
    NoPolicy,
    UnknownJob,
    UnknownQueue,
)
from pipeline.policies import Known
from pipeline.policy import Deduplication, JobPolicy, QueuePolicy
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.reader import Counts, Reader
from pipeline.store.store import Accepted, Store
from tests.acl import by_admin

EMAILS = QueuePolicy("emails", jobs={"send": JobPolicy(), "receipt": JobPolicy()})
FILE = """
    version: 1
    name: shop
    broker: {url: "%s"}
    queues:
      emails:
        jobs: {send: {handler: "shop:send"}, welcome: {handler: "shop:welcome"}}
      payments: {handler: "shop:capture"}
"""


class Broker:
    """What the tests do beside the client: publish a policy, look at the queue."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = connect_blocking(parse(url))
        self.publish(EMAILS)

    def publish(self, policy: QueuePolicy, generation: int = 1) -> None:
        call = Store("shop", policy.name).publish(generation, msgspec.json.encode(policy), "")
        run_blocking(self.connection, call)

    def counts(self, queue: str = "emails") -> Counts:
        return run_blocking(self.connection, Reader("shop", queue).counts())

    def calls(self, command: str) -> int:
        """How often the server ran a command since `forget_calls`."""
        for line in self.connection.call(("INFO", "commandstats")).decode().splitlines():
            if line.startswith(f"cmdstat_{command}:"):
                return int(line.partition("calls=")[2].partition(",")[0])
        return 0

    def forget_calls(self) -> None:
        by_admin(self.url, "CONFIG", "RESETSTAT")


@pytest.fixture
def shop(broker: str) -> Iterator[Broker]:
    shop = Broker(broker)
    yield shop
    shop.connection.close()


@pytest.fixture
def client(shop: Broker) -> Iterator[Client]:
    with Client(shop.url, "shop") as client:
        yield client


@pytest.fixture
def proxy(shop: Broker) -> Iterator[Proxy]:
    with Proxy(shop.url) as proxy:
        yield proxy


@pytest.fixture
def file(broker: str, tmp_path: Path) -> Path:
    """A config file of the project; nothing is published yet."""
    (tmp_path / "shop.yaml").write_text(textwrap.dedent(FILE % broker))
    return tmp_path / "shop.yaml"


# --- what a caller is told -----------------------------------------------------------------------------


def test_a_job_gets_an_id_and_can_be_looked_at(client: Client) -> None:
    answers = [client.enqueue("emails", "send", {"to": "ann"}) for _ in range(2)]
    assert answers == [Accepted("1", "created"), Accepted("2", "created")]
    job = client.job("emails", "2")
    assert (job.state, job.name, job.data) == ("waiting", "send", {"to": "ann"})
    assert abs(job.enqueued_at - time.time() * 1000) < 5_000


def test_a_callers_id_is_a_duplicate_the_second_time(client: Client) -> None:
    assert client.enqueue("emails", "send", {}, id="evt_1") == Accepted("evt_1", "created")
    assert client.enqueue("emails", "send", {}, id="evt_1") == Accepted("evt_1", "duplicate")


def test_the_options_of_a_call_stand_with_the_job(client: Client) -> None:
    client.enqueue("emails", "send", {}, id="x", delay="1h", priority=-5, attempts=7, timeout="2s")
    job = client.job("emails", "x")
    assert (job.state, job.priority, job.attempts) == ("delayed", -5, 7)


def test_a_job_that_is_not_kept_is_not_found(client: Client) -> None:
    with pytest.raises(JobNotFound, match="queue 'emails' keeps no job '99'"):
        client.job("emails", "99")


def test_waiting_for_a_job_ends_with_its_end_or_in_time(client: Client) -> None:
    id = client.enqueue("emails", "send").id
    with pytest.raises(TimeoutError, match=f"job '{id}' of 'emails' has not ended within 20ms"):
        client.wait("emails", id, "20ms")
    assert client.cancel("emails", id) == "waiting"
    assert client.wait("emails", id).state == "cancelled"
    assert client.cancel("emails", id) == "cancelled"


async def test_coroutines_wait_and_cancel_too(shop: Broker) -> None:
    async with AsyncClient(shop.url, "shop") as client:
        id = (await client.enqueue("emails", "send", delay="1h")).id
        with pytest.raises(TimeoutError):
            await client.wait("emails", id, "20ms")
        assert await client.cancel("emails", id) == "delayed"
        assert (await client.wait("emails", id)).state == "cancelled"


def test_what_is_not_kept_can_be_neither_waited_for_nor_cancelled(client: Client) -> None:
    for ask in (client.wait, client.cancel):
        with pytest.raises(JobNotFound):
            ask("emails", "99")


def test_many_jobs_go_in_chunks_of_a_thousand_and_keep_their_order(shop: Broker, client: Client) -> None:
    client.enqueue("emails", "send")
    shop.forget_calls()
    answers = client.enqueue_many("emails", [("send", n) for n in range(2_500)])
    assert [answer.id for answer in answers] == [str(n) for n in range(2, 2_502)]
    assert shop.calls("evalsha") == 3
    assert client.job("emails", "2501").data == 2_499


def test_one_bad_job_among_many_refuses_all_before_any_is_sent(shop: Broker, client: Client) -> None:
    jobs: list[tuple[str, Any]] = [("send", n) for n in range(1_500)]
    with pytest.raises(InvalidPayload):
        client.enqueue_many("emails", [*jobs, ("send", object())])
    assert shop.counts().enqueued == 0


def test_no_jobs_are_no_call(shop: Broker, client: Client) -> None:
    assert client.enqueue_many("emails", []) == []


# --- which queues and jobs there are -------------------------------------------------------------------


def test_an_unknown_job_is_refused_with_the_near_name(client: Client) -> None:
    with pytest.raises(UnknownJob, match="queue 'emails' has no job 'sent'") as caught:
        client.enqueue("emails", "sent")
    assert caught.value.help == "did you mean 'send'?"


def test_without_a_file_and_a_policy_nothing_says_what_a_queue_is(client: Client) -> None:
    with pytest.raises(NoPolicy, match="nothing says what queue 'payments' is"):
        client.enqueue("payments", "capture")


def test_before_a_supervisor_ran_the_file_counts(file: Path) -> None:
    with Client(file) as client:
        assert client.enqueue("payments", "whatever").status == "created"
        with pytest.raises(UnknownJob):
            client.enqueue("emails", "receipt")
        with pytest.raises(UnknownQueue, match="there is no queue 'email'") as caught:
            client.enqueue("email", "send")
    assert caught.value.help == "did you mean 'emails'?"


def test_a_job_that_only_the_producers_file_knows_is_taken_and_waits(file: Path, shop: Broker) -> None:
    with Client(file) as client:
        assert client.enqueue("emails", "welcome").status == "created"
        assert client.enqueue("emails", "receipt").status == "created"
        with pytest.raises(UnknownJob, match="'welcme'"):
            client.enqueue("emails", "welcme")
    assert shop.counts().waiting == 2


def test_a_url_needs_the_projects_name() -> None:
    with pytest.raises(TypeError, match="a client with a URL needs name="):
        Client("redis://127.0.0.1")


# --- a newer policy ------------------------------------------------------------------------------------


def test_a_newer_policy_reaches_a_producer_with_its_next_call(shop: Broker, client: Client) -> None:
    client.enqueue("emails", "send", {"to": "ann"})
    key = Deduplication("{data.to}", "until_done")
    job = JobPolicy(priority=8, deduplication=key)
    shop.publish(QueuePolicy("emails", jobs={"send": job}), generation=2)
    first = client.enqueue("emails", "send", {"to": "ann"})
    assert client.job("emails", first.id).priority == 8
    assert client.enqueue("emails", "send", {"to": "ann"}) == Accepted(first.id, "duplicate")


@pytest.mark.parametrize("options", [{}, {"id": "x"}], ids=["plain", "own id"])
def test_what_a_newer_policy_refuses_is_not_stored(
    shop: Broker, client: Client, options: dict[str, Any]
) -> None:
    client.enqueue("emails", "send")
    shop.publish(QueuePolicy("emails", jobs={"receipt": JobPolicy()}), generation=2)
    with pytest.raises(UnknownJob):
        client.enqueue("emails", "send", **options)
    assert shop.counts().enqueued == 1


def test_a_policy_that_comes_between_two_chunks_counts_for_the_rest(
    shop: Broker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = client._send

    def publish_after_the_first(queue: str, known: Known, batch: Any) -> list[Accepted]:
        answers = send(queue, known, batch)
        if known.generation == "1":
            shop.publish(QueuePolicy("emails", jobs={"send": JobPolicy(priority=3)}), generation=2)
        return answers

    monkeypatch.setattr(client, "_send", publish_after_the_first)
    answers = client.enqueue_many("emails", [("send", n) for n in range(1_200)])
    assert [answer.id for answer in answers] == [str(n) for n in range(1, 1_201)]
    assert [client.job("emails", id).priority for id in ("1000", "1001")] == [0, 3]


# --- threads and processes -----------------------------------------------------------------------------


def test_eight_threads_share_a_client_and_each_job_has_its_own_id(shop: Broker, client: Client) -> None:
    def work(thread: int) -> list[tuple[str, Any]]:
        return [(client.enqueue("emails", "send", [thread, n]).id, [thread, n]) for n in range(100)]

    with ThreadPoolExecutor(8) as threads:
        made = dict(pair for pairs in threads.map(work, range(8)) for pair in pairs)
    assert len(made) == shop.counts().waiting == 800
    for id in list(made)[::37]:
        assert client.job("emails", id).data == made[id]


FORK = """
import os, sys
from pipeline import Client

client = Client(sys.argv[1], "shop")
{before}
child = os.fork()
for n in range(50):
    client.enqueue("emails", "send", [child == 0, n])
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
ASYNC_FORK = """
import asyncio, os, sys
from pipeline import AsyncClient

client = AsyncClient(sys.argv[1], "shop")
child = os.fork()

async def main():
    for n in range(50):
        await client.enqueue("emails", "send", [child == 0, n])

asyncio.run(main())
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.parametrize(
    "script",
    [FORK.format(before=""), FORK.format(before='client.enqueue("emails", "send", "before")'), ASYNC_FORK],
    ids=["fresh", "used", "async"],
)
def test_a_client_serves_both_sides_of_a_fork(shop: Broker, client: Client, script: str) -> None:
    subprocess.run([sys.executable, "-c", script, shop.url], check=True, timeout=30)
    waiting = shop.counts().waiting
    found = [client.job("emails", str(n + 1)).data for n in range(waiting)]
    assert [data for data in found if data != "before"] != []
    expected = [[side, n] for side in (False, True) for n in range(50)]
    assert sorted(data for data in found if data != "before") == expected


# --- bad days ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"id": "x"}, {"delay": "1h"}], ids=["plain", "own id", "delayed"])
def test_a_call_that_lost_its_answer_makes_no_second_job(
    shop: Broker, proxy: Proxy, options: dict[str, Any]
) -> None:
    with Client(proxy.url, "shop") as client:
        client.enqueue("emails", "send")
        proxy.lose_replies()
        answer = client.enqueue("emails", "send", **options)
        assert answer.status == "created"
        assert client.job("emails", answer.id).name == "send"
    assert shop.counts().enqueued == 2


@pytest.mark.parametrize("options", [{}, {"id": "x"}, {"delay": "1h"}], ids=["plain", "own id", "delayed"])
def test_a_newer_policy_between_a_lost_answer_and_the_repeated_call_makes_no_second_job(
    shop: Broker, proxy: Proxy, options: dict[str, Any]
) -> None:
    with Client(proxy.url, "shop") as client:
        client.enqueue("emails", "send")
        proxy.lose_replies(then=lambda: shop.publish(EMAILS, generation=2))
        assert client.enqueue("emails", "send", **options).status == "created"
    assert shop.counts().enqueued == 2


def test_many_jobs_that_lost_their_answer_twice_are_stored_once(shop: Broker, proxy: Proxy) -> None:
    with Client(proxy.url, "shop") as client:
        client.enqueue("emails", "send")
        proxy.lose_replies(2)
        answers = client.enqueue_many("emails", [("send", n) for n in range(10)])
        assert [answer.id for answer in answers] == [str(n) for n in range(2, 12)]
    assert shop.counts().enqueued == 11


def test_a_broker_that_is_away_is_said_within_the_time_limit() -> None:
    with Client("redis://127.0.0.1:1", "shop", timeout=0.3) as client:
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="no broker at 127"):
            client.enqueue("emails", "send")
        assert time.monotonic() - began < 2


def test_a_broker_that_is_silent_is_said_within_the_time_limit(proxy: Proxy) -> None:
    with Client(proxy.url, "shop", timeout=0.3) as client:
        client.enqueue("emails", "send")
        proxy.hold()
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="no answer from the broker"):
            client.enqueue("emails", "send")
        assert 0.2 < time.monotonic() - began < 2
        proxy.flow()


def test_a_client_goes_on_after_the_connection_broke(shop: Broker, proxy: Proxy) -> None:
    with Client(proxy.url, "shop") as client:
        for _ in range(3):
            client.enqueue("emails", "send")
            proxy.hang_up()
        client.enqueue("emails", "send")
    assert shop.counts().enqueued == 4


# --- coroutines ----------------------------------------------------------------------------------------


async def test_jobs_of_one_tick_leave_in_one_call_and_each_gets_its_own_id(shop: Broker) -> None:
    async with AsyncClient(shop.url, "shop") as client:
        await client.enqueue("emails", "send", "first")
        shop.forget_calls()
        answers = await asyncio.gather(*(client.enqueue("emails", "send", n) for n in range(50)))
        assert shop.calls("evalsha") == 1
        assert len({answer.id for answer in answers}) == 50
        for n, answer in enumerate(answers):
            assert (await client.job("emails", answer.id)).data == n


async def test_more_jobs_of_one_tick_than_a_call_takes_leave_in_several(shop: Broker) -> None:
    async with AsyncClient(shop.url, "shop") as client:
        await client.enqueue("emails", "send")
        await asyncio.gather(*(client.enqueue("emails", "send", n) for n in range(2_300)))
    assert shop.counts().enqueued == 2_301


async def test_a_cancelled_caller_does_not_shift_the_answers_of_others(shop: Broker, proxy: Proxy) -> None:
    async with AsyncClient(proxy.url, "shop") as client:
        await client.enqueue("emails", "send")
        proxy.hold()
        tasks = [
            asyncio.ensure_future(client.enqueue("emails", "send", n, id=f"x{n}" if n % 2 else None))
            for n in range(40)
        ]
        for _ in range(5):
            await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        proxy.flow()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for n, answer in enumerate(answers):
            if n % 3 == 0:
                assert isinstance(answer, asyncio.CancelledError)
            else:
                assert isinstance(answer, Accepted)
                assert (await client.job("emails", answer.id)).data == n


async def test_a_coroutines_call_that_lost_its_answer_makes_no_second_job(shop: Broker, proxy: Proxy) -> None:
    async with AsyncClient(proxy.url, "shop") as client:
        await client.enqueue("emails", "send")
        proxy.lose_replies()
        answers = await asyncio.gather(
            *(client.enqueue("emails", "send", n) for n in range(5)),
            client.enqueue("emails", "send", 5, id="x"),
        )
        assert [(await client.job("emails", answer.id)).data for answer in answers] == [0, 1, 2, 3, 4, 5]
    assert shop.counts().enqueued == 7


async def test_an_async_client_goes_on_after_the_connection_broke(shop: Broker, proxy: Proxy) -> None:
    async with AsyncClient(proxy.url, "shop") as client:
        for n in range(3):
            await client.enqueue("emails", "send", n)
            proxy.hang_up()
        assert (await client.enqueue_many("emails", [("send", 3), ("send", 4)]))[1].id == "5"
    assert shop.counts().enqueued == 5


async def test_an_async_client_is_told_of_a_broker_that_is_away_or_silent(proxy: Proxy) -> None:
    began = time.monotonic()
    async with AsyncClient("redis://127.0.0.1:1", "shop", timeout=0.2) as client:
        with pytest.raises(BrokerUnavailable, match="no broker at 127"):
            await client.enqueue("emails", "send")
    async with AsyncClient(proxy.url, "shop", timeout=0.2) as client:
        await client.enqueue("emails", "send")
        proxy.hold()
        with pytest.raises(BrokerUnavailable, match=r"no answer from the broker at .* in 0\.2 s"):
            await client.enqueue("emails", "send")
        proxy.flow()
    assert time.monotonic() - began < 3


async def test_a_newer_policy_reaches_coroutines_too(shop: Broker) -> None:
    async with AsyncClient(shop.url, "shop") as client:
        await client.enqueue("emails", "send")
        shop.publish(QueuePolicy("emails", jobs={"send": JobPolicy(priority=2)}), generation=2)
        answers = await asyncio.gather(*(client.enqueue("emails", "send", n) for n in range(3)))
        assert [(await client.job("emails", answer.id)).priority for answer in answers] == [2, 2, 2]
        with pytest.raises(UnknownJob, match="'sent'"):
            await client.enqueue("emails", "sent")


def test_an_async_client_serves_one_loop_after_another(shop: Broker) -> None:
    client = AsyncClient(shop.url, "shop")

    async def work() -> None:
        await client.enqueue("emails", "send")
        await client.close()

    asyncio.run(work())
    asyncio.run(work())
    assert shop.counts().enqueued == 2


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("timeout", [0, -1, 51, float("nan")])
def test_no_call_is_repeated_for_longer_than_the_broker_remembers_it(
    kind: type[Client], timeout: float
) -> None:
    with pytest.raises(ValueError, match=r"must be above 0 and at most 50"):
        kind("unix:///nowhere", "shop", timeout=timeout)
