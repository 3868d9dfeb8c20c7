"""A person cancels what runs, from another process."""

from __future__ import annotations

import time

from pipeline import Client


def test_a_running_job_is_cancelled_within_a_second_and_its_worker_goes_on(written):
    run = written.up("queues:\n  a: {handler: 'hands:work', concurrency: 1}\n")
    id, other = written.enqueue("a", {"seconds": 60}, {"seconds": 0})
    written.sees("begin")
    with Client(written.url, name="test") as client:
        asked = time.monotonic()
        assert client.cancel("a", id) == "active"
        assert client.wait("a", id).state == "cancelled"
        assert time.monotonic() - asked < 1
        assert client.wait("a", other).state == "completed"
    assert len({event.pid for event in written.events("begin")}) == 1
    assert run.stop() == 0


def test_the_command_says_what_became_of_it(written):
    run = written.up("queues:\n  a: {handler: 'hands:work'}\n")
    (id,) = written.enqueue("a", {"seconds": 60})
    written.sees("begin")
    told = written.pipeline("jobs", "cancel", "a", id)
    assert told.stderr == ""
    assert (told.returncode, told.stdout) == (0, f"{id}  cancelled\n")
    assert written.events("end") == []
    assert run.stop() == 0


def test_a_cancelled_job_whose_worker_is_killed_does_not_run_again(written):
    run = written.up("queues:\n  a: {handler: 'hands:stubborn', timeout: 60s}\n")
    (id,) = written.enqueue("a", {})
    (begun,) = written.sees("begin")
    with Client(written.url, name="test") as client:
        client.cancel("a", id)
        written.sees("cancelled")
        written.kill(begun.pid)
        assert client.wait("a", id).state == "cancelled"
    assert len(written.events("begin")) == 1
    assert run.stop() == 0
