"""Producers put jobs where they belong, wherever the broker is, and accept them when enough servers have them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from faults.broker import Broker
from faults.topology.cluster import Cluster
from faults.topology.replicated import Replicated
from faults.topology.servers import Servers
from pipeline import AsyncClient, Client
from pipeline.errors import BrokerUnavailable, Unconfirmed
from pipeline.plan import Plan
from pipeline.store import keys
from pipeline.store.slots import slot
from tests.plans import plan_of

COUNT = 50
REPLICA = {"replicas": 1}
"""A job is accepted when a replica has it."""


def queues(servers: Servers) -> list[str]:
    """Three queues, on three nodes where there are as many."""
    return servers.names(3) if isinstance(servers, Cluster) else ["a", "b", "c"]


def plan(url: str, names: Sequence[str], durability: Any = "everysec") -> Plan:
    """A project with these queues."""
    broker = {"url": url, "durability": durability}
    return plan_of({"name": "shop", "broker": broker, "queues": {name: {"handler": None} for name in names}})


def kept(servers: Servers, queue: str) -> int:
    """How many jobs of a queue the server has that it belongs to."""
    base = keys.base("shop", queue)
    with contextlib.closing(servers.beside(base)) as connection:
        return sum(bool(id) for id in connection.call(("HKEYS", keys.jobs(base))))


def test_jobs_of_a_client_are_where_their_queue_is(servers: Servers) -> None:
    names = queues(servers)
    with Client(plan(servers.url, names)) as client:
        for name in names:
            assert client.enqueue(name, "job", {"n": 1}, id="one").status == "created"
            assert client.enqueue(name, "job", {"n": 1}, id="one").status == "duplicate"
            assert len(client.enqueue_many(name, [("job", {"n": n}) for n in range(COUNT)])) == COUNT
            assert client.job(name, "one").state == "waiting"
    assert [kept(servers, name) for name in names] == [COUNT + 1] * len(names)


async def test_jobs_of_many_coroutines_are_where_their_queue_is(servers: Servers) -> None:
    names = queues(servers)
    async with AsyncClient(plan(servers.url, names)) as client:
        sent = [client.enqueue(name, "job", {"n": n}) for n in range(COUNT) for name in names]
        accepted = await asyncio.gather(*sent)
        assert len(await client.enqueue_many(names[0], [("job", {}) for _ in range(COUNT)])) == COUNT
        assert (await client.job(names[1], "1")).state == "waiting"
    assert len(accepted) == COUNT * len(names)
    assert [kept(servers, name) for name in names] == [2 * COUNT, COUNT, COUNT]


@contextlib.contextmanager
def frozen(node: Broker) -> Iterator[None]:
    node.freeze()
    try:
        yield
    finally:
        node.thaw()


def replica_of(servers: Servers, queue: str) -> Broker:
    """The replica that has a queue's jobs."""
    owner = servers.owner(keys.base("shop", queue))
    [[_, port, _]] = owner.call("ROLE")[2]
    return next(node for node in servers.nodes if node.port == int(port))


def test_a_job_is_accepted_when_a_replica_of_its_own_node_has_it(servers: Servers) -> None:
    other, _, silent = queues(servers)
    with (
        Client(plan(servers.url, [silent, other], REPLICA), timeout=1.0) as client,
        frozen(replica_of(servers, silent)),
    ):
        with pytest.raises(Unconfirmed, match="only 0 of 1 replicas"):
            client.enqueue(silent, "send", {})
        if isinstance(servers, Cluster):
            assert client.enqueue(other, "send", {}).status == "created"
        else:
            with pytest.raises(Unconfirmed):
                client.enqueue(other, "send", {})


async def test_coroutines_wait_for_the_replica_of_each_node(servers: Servers) -> None:
    names = queues(servers)
    async with AsyncClient(plan(servers.url, names, REPLICA), timeout=2.0) as client:
        sent = [client.enqueue(name, "send", {"n": n}) for n in range(COUNT) for name in names]
        assert {one.status for one in await asyncio.gather(*sent)} == {"created"}
        with frozen(replica_of(servers, names[2])), pytest.raises(Unconfirmed):
            await client.enqueue(names[2], "send", {})


def test_a_client_finds_its_queue_again_when_its_slot_has_moved(cluster: Cluster) -> None:
    [name] = cluster.names(1)
    base = keys.base("shop", name)
    with Client(plan(cluster.url, [name])) as client:
        client.enqueue(name, "job", {})
        to = next(node for node in cluster.primaries if node is not cluster.owner(base))
        cluster.move_by_keys(slot(base), to)
        assert client.enqueue(name, "job", {}).id == "2"
        assert len(client.enqueue_many(name, [("job", {})] * COUNT)) == COUNT
    assert cluster.owner(base) is to
    assert kept(cluster, name) == COUNT + 2


async def test_coroutines_find_their_queue_again_when_its_slot_has_moved(cluster: Cluster) -> None:
    [name] = cluster.names(1)
    base = keys.base("shop", name)
    async with AsyncClient(plan(cluster.url, [name])) as client:
        await client.enqueue(name, "job", {})
        to = next(node for node in cluster.primaries if node is not cluster.owner(base))
        cluster.move_by_keys(slot(base), to)
        accepted = await asyncio.gather(*(client.enqueue(name, "job", {}) for _ in range(COUNT)))
    assert sorted(int(one.id) for one in accepted) == [*range(2, COUNT + 2)]
    assert kept(cluster, name) == COUNT + 1


def test_a_replica_takes_no_jobs_and_is_called_one(replicated: Replicated) -> None:
    replica = replica_of(replicated, "a")
    with (
        Client(plan(replica.url, ["a"]), timeout=1.0) as client,
        pytest.raises(BrokerUnavailable, match="replica"),
    ):
        client.enqueue("a", "job", {})
