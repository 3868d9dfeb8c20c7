"""Nobody says anything: a network that swallows all, a broker, a worker or a supervisor that stands still."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest
from msgspec.structs import replace

from faults.proxy import Proxy
from pipeline import Client
from pipeline.async_client import AsyncClient
from pipeline.errors import BrokerUnavailable
from pipeline.store import keys

BASE = keys.base("test", "a")


@pytest.fixture
def proxy(outage):
    """The project's supervisor and workers reach their broker through this; the test reaches it directly."""
    with Proxy(outage.url) as proxy:
        yield proxy


def behind(outage, proxy):
    """A supervisor behind the proxy."""
    direct, outage.url = outage.url, proxy.url
    run = outage.run()
    run.says("a runs")
    outage.url = direct
    return run


def test_a_parked_worker_whose_connections_lead_nowhere_any_more_is_heard_of_again(outage, proxy):
    run = behind(outage, proxy)
    outage.enqueue("a", {})
    outage.sees("end")
    proxy.go_dark()
    proxy.heal()
    outage.enqueue("a", {})
    outage.sees("end", 2, 15)
    run.says("silent for 5 s")
    assert run.stop() == 0


def test_what_ended_meanwhile_is_told_once_the_way_is_there_again(outage, proxy):
    run = behind(outage, proxy)
    ids = outage.enqueue("a", {"seconds": 1}, {"seconds": 1.5})
    outage.sees("begin", 2)
    proxy.go_dark()
    proxy.heal()
    outage.eventually(lambda: outage.completed("a") == {*ids}, "both are completed")
    assert len(outage.events("begin")) == 2
    assert outage.stats("a").get("lost_leases", 0) == 0
    assert run.stop() == 0


def test_a_client_whose_connection_leads_nowhere_says_so_in_time_and_the_next_call_does_better(outage, proxy):
    outage.enqueue("a", {})
    with Client(proxy.url, name="test", timeout=0.5) as client:
        client.enqueue("a", "job", {})
        proxy.go_dark()
        proxy.heal()
        with pytest.raises(BrokerUnavailable, match="it is silent"):
            client.enqueue("a", "job", {})
        assert client.enqueue("a", "job", {}).status == "created"


def test_so_does_an_async_client(outage, proxy):
    async def use() -> None:
        async with AsyncClient(proxy.url, name="test", timeout=0.5) as client:
            await client.enqueue("a", "job", {})
            proxy.go_dark()
            proxy.heal()
            with pytest.raises(BrokerUnavailable, match=r"in 0\.5 s"):
                await client.enqueue("a", "job", {})
            assert (await client.enqueue("a", "job", {})).status == "created"

    outage.enqueue("a", {})
    asyncio.run(use())


def test_a_broker_that_stands_still_for_longer_than_a_lease_costs_no_job_its_lease(outage, own_server):
    outage.rules = replace(outage.rules, lease=5_000)
    outage.queue("a", "hands:work", concurrency=4)
    run = outage.run()
    run.says("a runs")
    ids = outage.enqueue("a", *[{"seconds": 9}] * 4)
    outage.sees("begin", 4)
    own_server.process.send_signal(signal.SIGSTOP)
    time.sleep(7)
    own_server.process.send_signal(signal.SIGCONT)
    outage.eventually(lambda: outage.completed("a") == {*ids}, "all are completed")
    assert len(outage.events("begin")) == 4
    assert outage.stats("a").get("lost_leases", 0) == 0
    assert run.stop() == 0


def test_a_supervisor_that_overslept_its_leases_kills_its_workers_before_it_speaks(outage):
    outage.rules = replace(outage.rules, lease=5_000)
    run = outage.run()
    run.says("a runs")
    (id,) = outage.enqueue("a", {"seconds": 30})
    (first,) = outage.sees("begin")
    family = [run.pid, *run.children()]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6)
    for pid in family:
        # A process that was about to end may have ended before it stopped.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    run.says("stood still for 6s")
    outage.eventually(lambda: outage.is_gone(first.pid), "the worker is gone", 2)
    second = outage.sees("begin", 2)[1]
    assert (second.id, second.pid != first.pid) == (id, True)
    # It was no crash: the job is not to blame.
    assert outage.ask("HEXISTS", keys.runs(BASE), id) == 0
    run.signal(signal.SIGQUIT)
    assert run.ends() == 0


@pytest.mark.parametrize("handler", ["hands:freeze_loop", "hands:hold_gil"])
def test_a_worker_that_is_busy_for_longer_than_a_lease_keeps_it(outage, handler):
    """Its supervisor renews: whoever blocks the loop, or holds the interpreter, does not look dead."""
    outage.rules = replace(outage.rules, lease=2_000)
    outage.queue("a", handler)
    run = outage.run()
    (id,) = outage.enqueue("a", {"seconds": 4})
    outage.sees("begin")
    while not outage.events("end"):
        (_, ends) = outage.ask("ZRANGE", keys.workers(BASE), 0, -1, "WITHSCORES")
        seconds, microseconds = map(int, outage.ask("TIME"))
        assert float(ends) > seconds * 1000 + microseconds // 1000
        time.sleep(0.1)
    outage.eventually(lambda: outage.completed("a") == {id}, "it is completed")
    assert run.stop() == 0
