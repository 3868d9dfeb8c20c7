"""A broker that answers, but refuses: for a while, or for good."""

from __future__ import annotations

import signal
import time

import pytest

from pipeline import Client
from pipeline.errors import BrokerDenied, BrokerFull, BrokerUnavailable
from pipeline.store import keys

SPIN = "while true do end"
PASSING = {
    "it is a replica of nobody": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "replica"),
    "it lost its replicas": (
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
        ("CONFIG", "SET", "min-replicas-to-write", "0"),
        "too few of its replicas",
    ),
    "it forgot its scripts": (("SCRIPT", "FLUSH"), ("SCRIPT", "FLUSH"), ""),
    "it hung up on everybody": (("CLIENT", "KILL", "TYPE", "normal"), ("PING",), ""),
}


@pytest.mark.parametrize("trouble", PASSING)
def test_jobs_are_consumed_again_without_a_restart_when_a_refusal_is_over(outage, trouble):
    begin, end, word = PASSING[trouble]
    run = outage.run()
    run.says("a runs")
    outage.enqueue("a", {})
    outage.sees("end")
    outage.ask(*begin)
    with Client(outage.url, name="test", timeout=0.3) as client:
        if word:
            with pytest.raises(BrokerUnavailable, match=word):
                client.enqueue("a", "job", {})
            run.says(word)
    outage.ask(*end)
    with Client(outage.url, name="test", timeout=10) as client:
        client.enqueue("a", "job", {})
    outage.sees("end", 2)
    assert "Traceback" not in run.output
    assert run.stop() == 0
    assert outage.stats("a")["completed"] == len(outage.completed("a"))


def test_a_script_of_somebody_else_that_never_ends_is_waited_for(outage):
    run = outage.run()
    run.says("a runs")
    outage.ask("CONFIG", "SET", "busy-reply-threshold", "100")
    with Client(outage.url, name="test", timeout=0.5) as client:
        client.enqueue("a", "job", {})
        outage.sees("end")
        with pytest.raises(BrokerUnavailable):
            outage.ask("EVAL", SPIN, "0")
        with pytest.raises(BrokerUnavailable, match="a script keeps the broker busy"):
            client.enqueue("a", "job", {})
    run.says("a script keeps the broker busy")
    outage.ask("SCRIPT", "KILL")
    with Client(outage.url, name="test", timeout=10) as client:
        client.enqueue("a", "job", {})
    outage.sees("end", 2)
    assert run.stop() == 0


def test_a_full_broker_refuses_new_jobs_and_everything_else_goes_on(outage):
    ids = outage.enqueue("a", *[{}] * 300)
    outage.ask("CONFIG", "SET", "maxmemory", "1")
    with Client(outage.url, name="test") as client:
        with pytest.raises(BrokerFull, match="memory is full: nothing was stored"):
            client.enqueue("a", "job", {})
        # It starts, publishes, drains and ends there, too.
        run = outage.run("--until-empty")
        assert run.ends() == 0, run.output
        assert len(outage.events("end")) == len(ids)
        outage.ask("CONFIG", "SET", "maxmemory", "0")
        assert client.enqueue("a", "job", {}).status == "created"


def test_a_supervisor_that_is_not_let_in_any_more_ends_with_a_code_of_its_own(outage):
    run = outage.run()
    run.says("a runs")
    outage.ask("CONFIG", "SET", "requirepass", "secret")
    outage.ask_as("secret", "CLIENT", "KILL", "TYPE", "normal")
    assert run.ends() == 77
    assert "the broker asks for a password" in run.output
    assert "Traceback" not in run.output


def test_a_supervisor_is_not_started_where_it_may_not_do_what_is_needed(outage):
    outage.ask("ACL", "SETUSER", "shop", "on", ">pw", "~*", "&*", "+@all", "-blmpop")
    url, outage.url = outage.url, outage.url.replace("unix://", "unix://shop:pw@")
    run = outage.run()
    outage.url = url
    assert run.ends() == 77
    assert "may not do what is needed" in run.output
    assert "blmpop" in run.output


def test_a_client_that_is_not_let_in_is_told_at_once(outage):
    outage.enqueue("a", {})
    outage.ask("CONFIG", "SET", "requirepass", "secret")
    began = time.monotonic()
    with Client(outage.url, name="test") as client, pytest.raises(BrokerDenied, match="asks for a password"):
        client.enqueue("a", "job", {})
    assert time.monotonic() - began < 2


def test_a_broker_that_loads_its_file_for_long_is_waited_for(outage, own_server):
    run = outage.run()
    run.says("a runs")
    outage.enqueue("a", *[{"pad": "x" * 1000}] * 2000, delay="1h")
    # What `everysec` may lose when the disk is slow is not the matter here.
    outage.ask("CONFIG", "SET", "appendfsync", "always")
    outage.ask("SET", "all", "written")
    own_server.kill()
    # Each command takes 3 ms to load, and after a thousand of them it answers in between.
    own_server.start("--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024")
    run.says("the broker is loading its data")
    own_server.process.send_signal(signal.SIGKILL)
    own_server.process.wait()
    own_server.start()
    with Client(outage.url, name="test", timeout=10) as client:
        client.enqueue("a", "job", {})
    outage.sees("end")
    assert run.stop() == 0
    assert outage.ask("ZCARD", keys.delayed(keys.base("test", "a"))) == 2000
