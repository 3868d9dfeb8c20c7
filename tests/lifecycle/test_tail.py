"""`pipeline tail` follows what happens, through a restart of the broker, until Ctrl-C."""

from __future__ import annotations

import json
import signal

import pytest

from pipeline.store import keys
from tests.lifecycle.conftest import PIPELINE, Run, Written, make


@pytest.fixture
def project(own_server):
    yield from make(own_server.url, Written)


def test_events_are_followed_through_a_restart_of_the_broker(project, own_server):
    project.eventually(project.ping, "the server")
    project.queue("a", "hands:work")
    project.write("queues: {a: {handler: 'hands:work'}}\n")
    project.enqueue("a", {})
    tail = Run([*PIPELINE, "--config", str(project.file), "tail", "--json"], project.root)
    project.runs.append(tail)
    meta = keys.meta(keys.base("test", "a"))
    project.eventually(lambda: project.ask("HEXISTS", meta, "watched"), "somebody watches")
    (second,) = project.enqueue("a", {})
    tail.says(f'"id":"{second}"')
    own_server.kill()
    tail.says("waits for it")
    own_server.start()
    tail.says("the broker is back")
    (third,) = project.enqueue("a", {})
    tail.says(f'"id":"{third}"')
    tail.signal(signal.SIGINT)
    assert tail.ends() == 0
    told = [json.loads(line) for line in tail.output.splitlines() if line[0] == "{"]
    assert [one["id"] for one in told] == [second, third]
    assert told[0] | {"at": 0} == {
        "at": 0, "queue": "a", "id": second, "event": "enqueued", "name": "job", "attempt": 0,
        "duration_ms": None, "error": None,
    }  # fmt: skip
