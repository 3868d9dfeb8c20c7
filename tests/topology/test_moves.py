"""A queue whose slot moves to another node: its workers follow, and nothing is half done on the way."""

from __future__ import annotations

from typing import Any

import pytest

from faults.broker import Broker
from faults.topology.cluster import Cluster
from pipeline import Client
from pipeline.errors import BrokerUnavailable
from pipeline.store import keys
from pipeline.store.slots import slot
from tests.lifecycle.conftest import Written

QUEUE = "a"
BASE = keys.base("test", QUEUE)
SLOT = slot(BASE)
FILE = f"queues: {{{QUEUE}: {{handler: 'hands:work', concurrency: 5}}}}\n"


def elsewhere(cluster: Cluster) -> Broker:
    """A primary that does not have the queue."""
    return next(node for node in cluster.primaries if node is not cluster.holder(SLOT))


def test_workers_and_their_jobs_follow_a_queue_that_moves(cluster: Cluster, spread: Written) -> None:
    run = spread.up(FILE)
    ids: list[str] = []

    def all_completed() -> bool:
        return spread.completed(QUEUE) == {*ids}

    with Client(cluster.url, "test") as client:
        for move in cluster.moves().values():
            to = elsewhere(cluster)
            ids += [client.enqueue(QUEUE, "job", {"seconds": 0.5}).id for _ in range(5)]
            spread.sees("begin", len(ids))
            move(SLOT, to)
            ids += [client.enqueue(QUEUE, "job", {}).id for _ in range(5)]
            spread.eventually(all_completed, "all are completed")
            assert cluster.holder(SLOT) is to
    begun = spread.events("begin")
    assert sorted(event.id for event in begun) == sorted(ids)
    assert len({event.pid for event in begun}) == 1
    assert run.stop() == 0


def test_a_queue_that_is_being_moved_waits_and_goes_on_when_it_has_moved(
    cluster: Cluster, spread: Written
) -> None:
    run = spread.up(FILE)
    to = elsewhere(cluster)
    with Client(cluster.url, "test", timeout=0.5) as client:
        ids = [client.enqueue(QUEUE, "job", {"seconds": 0.3}).id for _ in range(5)]
        spread.sees("begin", 5)
        cluster.begin_move(SLOT, to)
        spread.sees("end", 5)
        with pytest.raises(BrokerUnavailable, match="moving this queue"):
            client.enqueue(QUEUE, "job", {})
        while cluster.move_keys(SLOT, to, 2):
            pass
        cluster.end_move(SLOT, to)
        ids.append(client.enqueue(QUEUE, "job", {}).id)
    spread.eventually(lambda: spread.completed(QUEUE) == {*ids}, "all are completed")
    assert sorted(event.id for event in spread.events("begin")) == sorted(ids)
    assert run.stop() == 0


def contents(cluster: Cluster) -> dict[str, list[Any]]:
    """A digest of every key of the queue's slot, from each node that has it."""
    found: dict[str, list[Any]] = {}
    for node in cluster.primaries:
        for key in node.call("CLUSTER", "GETKEYSINSLOT", SLOT, 1000):
            found.setdefault(key.decode(), []).extend(node.call("DEBUG", "DIGEST-VALUE", key))
    return found


def test_nothing_is_half_done_while_the_keys_of_a_queue_lie_on_two_nodes(
    cluster: Cluster, spread: Written
) -> None:
    run = spread.up(FILE)
    to = elsewhere(cluster)
    with Client(cluster.url, "test", timeout=0.5) as client:
        client.enqueue(QUEUE, "job", {})
        spread.sees("end")
        late = client.enqueue(QUEUE, "job", {}, delay="1h").id
        assert run.stop() == 0
        whole = contents(cluster)
        cluster.begin_move(SLOT, to)
        cluster.move_keys(SLOT, to, len(whole) // 2)
        for act in (
            lambda: client.enqueue(QUEUE, "job", {}),
            lambda: client.enqueue_many(QUEUE, [("job", {})] * 3),
            lambda: client.cancel(QUEUE, late),
            lambda: client.promote(QUEUE, late),
        ):
            with pytest.raises(BrokerUnavailable, match="moving this queue"):
                act()
        assert spread.pipeline("purge", QUEUE, "--yes").returncode == 69
        assert contents(cluster) == whole
        cluster.move_by_keys(SLOT, to)
        assert contents(cluster) == whole
        assert client.cancel(QUEUE, late)
