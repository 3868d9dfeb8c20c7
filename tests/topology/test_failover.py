"""What runs goes on when another server takes the primary's place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.topology.replicated import Replicated
from faults.topology.sentinels import Sentinels
from pipeline import Client
from tests.lifecycle.conftest import Written, make

FILE = "queues: {a: {handler: 'hands:work', concurrency: 5}}\n"


@pytest.fixture
def written(servers: Replicated) -> Iterator[Written]:
    """A project with a file, on servers with replicas."""
    yield from make(servers.url, Written)


def failover(servers: Replicated) -> None:
    """Another server is primary: planned; where Sentinels watch, because the old one has died."""
    if not isinstance(servers, Sentinels):
        servers.failover()
        return
    old = servers.primary
    old.kill()
    new = servers.await_failover(old, 20.0)
    old.start()
    servers.follow(old, new)


@pytest.mark.parametrize("servers", ["replicated", "sentinels"], indirect=True)
def test_a_job_that_runs_over_a_failover_is_run_and_completed_once(
    servers: Replicated, written: Written
) -> None:
    run = written.up(FILE)
    with Client(servers.url, "test") as client:
        ids = [client.enqueue("a", "job", {"seconds": 0.5}).id for _ in range(5)]
        written.sees("begin", 5)
        failover(servers)
        ids += [client.enqueue("a", "job", {}).id for _ in range(5)]
    written.eventually(lambda: written.completed("a") == {*ids}, "all are completed")
    assert sorted(event.id for event in written.events("begin")) == sorted(ids)
    assert len({event.pid for event in written.events("begin")}) == 1
    assert written.stats("a").get("lost_leases", 0) == 0
    assert run.stop() == 0
