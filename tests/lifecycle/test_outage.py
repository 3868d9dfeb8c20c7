"""The broker goes away and comes back."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from msgspec.structs import replace

from pipeline.store import keys
from tests.lifecycle.conftest import Written, make


def enqueue_when_back(project, *payloads):
    project.eventually(project.ping, "the broker is back")
    return project.enqueue("a", *payloads)


def test_jobs_are_consumed_again_within_two_seconds_of_the_return_of_the_broker(outage, own_server):
    run = outage.run()
    outage.enqueue("a", {})
    outage.sees("end")
    own_server.kill()
    run.says("lost the broker")
    time.sleep(2)  # long enough for the pauses between tries to have grown to their longest
    own_server.start()
    enqueue_when_back(outage, {})
    back = time.monotonic()
    outage.sees("end", 2)
    assert time.monotonic() - back < 2
    assert run.stop() == 0


def test_a_handler_runs_on_while_the_broker_is_away_and_its_job_completes_once(outage, own_server):
    run = outage.run()
    (id,) = outage.enqueue("a", {"seconds": 1})
    outage.sees("begin")
    own_server.kill()
    outage.sees("end")
    own_server.start()
    run.says("the broker is back")
    base = keys.base("test", "a")
    outage.eventually(lambda: outage.ask("LLEN", keys.completed(base)) == 1, "the job is completed")
    assert outage.completed("a") == {id}
    assert len(outage.events("begin")) == 1
    assert run.stop() == 0


def test_the_jobs_of_a_worker_that_died_while_the_broker_was_away_are_taken_back(outage, own_server):
    outage.queue("a", "hands:once_slow")
    run = outage.run()
    outage.enqueue("a", {})
    (event,) = outage.sees("begin")
    own_server.kill()
    run.says("lost the broker")
    os.kill(event.pid, signal.SIGKILL)
    outage.eventually(lambda: outage.is_gone(event.pid), "the worker is gone")
    own_server.start()
    outage.sees("end")
    assert run.stop() == 0


def test_a_broker_that_lost_its_memory_is_told_the_policy_again(outage, own_server):
    run = outage.run()
    run.says("a runs")
    own_server.kill()
    shutil.rmtree(own_server.folder / "appendonlydir")
    own_server.start()
    run.says("the broker is back")
    enqueue_when_back(outage, {})
    outage.sees("end")
    assert outage.ask("HGET", keys.meta(keys.base("test", "a")), "generation") == b"1"
    assert run.stop() == 0


def test_a_supervisor_without_a_broker_at_its_start_says_so_and_ends(outage, own_server):
    own_server.kill()
    run = outage.run()
    assert run.ends(15) == 69
    assert "no broker at" in run.output


def test_it_can_be_stopped_while_the_broker_is_away(outage, own_server):
    outage.rules = replace(outage.rules, stop_timeout=500)
    run = outage.run()
    run.says("a runs")
    own_server.kill()
    run.says("lost the broker")
    run.signal(signal.SIGTERM)
    assert run.ends(8) == 0


def test_an_embedded_broker_that_died_is_started_again(embedded):
    embedded.queue("a", "hands:work")
    run = embedded.run()
    run.says("a runs")
    embedded.enqueue("a", {})
    embedded.sees("end")
    (server,) = [
        pid for pid in run.children() if b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(server, signal.SIGKILL)
    run.says("the broker is back")
    enqueue_when_back(embedded, {})
    embedded.sees("end", 2)
    assert run.stop() == 0


def test_a_supervisor_that_joined_takes_the_embedded_broker_over_when_its_owner_leaves(embedded):
    embedded.queue("a", "hands:work")
    embedded.queue("b", "hands:work")
    first = embedded.run("--queues", "b")
    first.says("b runs")
    second = embedded.run("--queues", "a")
    second.says("a runs")
    embedded.enqueue("a", {})
    embedded.sees("end")
    assert first.stop() == 0
    second.says("the broker is back")
    enqueue_when_back(embedded, {})
    embedded.sees("end", 2)
    assert second.stop() == 0


def test_an_edit_during_an_outage_is_applied_when_the_broker_is_back(own_server):
    for written in make(own_server.url, Written):
        written.eventually(written.ping, "the server")
        text = "queues:\n  a: {{handler: 'hands:work', concurrency: {}}}\n"
        run = written.up(text.format(1))
        own_server.kill()
        run.says("lost the broker")
        written.write(text.format(6))
        run.says("NOT applied")
        assert "the broker is away" in run.output
        own_server.start()
        run.says("1 -> 6")
        assert run.output.count("NOT applied") == 1
        assert run.stop() == 0
