"""The servers that we find are those that redis-py finds, before and after a change."""

from __future__ import annotations

import contextlib
import re

import pytest
from redis.cluster import RedisCluster
from redis.sentinel import Sentinel

from faults.broker import Broker
from faults.topology.cluster import Cluster
from faults.topology.replicated import Replicated
from faults.topology.sentinels import SERVICE, Sentinels
from faults.topology.servers import Servers
from pipeline.broker import parse
from pipeline.errors import BrokerUnavailable
from pipeline.store.connect import connect, connect_blocking
from pipeline.store.slots import slot

KEYS = [f"{{shop:q{number}}}" for number in range(60)]


def found(servers: Servers) -> int:
    """The port of the server that we take for the primary."""
    return int(servers.call("CONFIG", "GET", "port")[1])


async def found_on_a_loop(servers: Servers) -> int:
    connection = await connect(parse(servers.url))
    port = int((await connection.call(("CONFIG", "GET", "port")))[1])
    connection.close()
    return port


async def test_the_primary_of_several_hosts_is_found_wherever_it_is(replicated: Replicated) -> None:
    for _ in range(2):
        primary = replicated.primary
        assert found(replicated) == await found_on_a_loop(replicated) == primary.port
        replicated.failover()


def test_without_a_primary_every_host_says_why(replicated: Replicated) -> None:
    primary = replicated.primary
    replica = next(node for node in replicated.nodes if node is not primary)
    primary.freeze()
    try:
        address = f"redis://127.0.0.1:{primary.port},127.0.0.1:{replica.port}"
        with pytest.raises(BrokerUnavailable) as caught:
            connect_blocking(parse(address), 3.0)
    finally:
        primary.thaw()
    assert re.search(rf"127.0.0.1:{replica.port} is a replica", caught.value.message)
    assert str(primary.port) in caught.value.message


def test_sentinels_name_the_primary_to_us_and_to_redis_py(sentinels: Sentinels) -> None:
    old = sentinels.primary
    assert found(sentinels) == named(sentinels) == old.port
    old.kill()
    try:
        new = sentinels.await_failover(old, 20.0)
        assert found(sentinels) == named(sentinels) == new.port
    finally:
        old.start()
    sentinels.follow(old, new)


def named(sentinels: Sentinels) -> int:
    """The port of the primary, as redis-py finds it."""
    client = Sentinel([("127.0.0.1", one.port) for one in sentinels.sentinels])
    try:
        return int(client.discover_master(SERVICE)[1])
    finally:
        for one in client.sentinels:
            one.close()


def test_a_sentinel_that_is_silent_is_passed_over(sentinels: Sentinels) -> None:
    first = sentinels.sentinels[0]
    first.freeze()
    try:
        assert found(sentinels) == sentinels.primary.port
    finally:
        first.thaw()


async def test_a_key_leads_to_the_node_that_redis_py_finds_before_and_after_a_move(cluster: Cluster) -> None:
    assert {key: await node_of(cluster, key) for key in KEYS} == theirs(cluster)
    key = KEYS[0]
    to = next(node for node in cluster.primaries if node is not cluster.owner(key))
    cluster.move_by_keys(slot(key), to)
    assert await node_of(cluster, key) == theirs(cluster)[key] == to.port


async def test_a_connection_that_is_open_follows_a_slot_that_moves(cluster: Cluster) -> None:
    key = KEYS[1]
    with contextlib.closing(cluster.connect()) as blocking:
        connection = await connect(parse(cluster.url), key=key)
        for move in cluster.moves().values():
            to = next(node for node in cluster.primaries if node is not cluster.owner(key))
            move(slot(key), to)
            assert blocking.call(("INCR", key)) + await connection.call(("INCR", key)) == 3
            assert to.call("GETDEL", key) == b"2"
        connection.close()


def theirs(cluster: Cluster) -> dict[str, int]:
    """The port of the node of each key, as redis-py finds it."""
    with contextlib.closing(RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port)) as client:
        return {key: client.get_node_from_key(key).port for key in KEYS}


async def node_of(cluster: Cluster, key: str) -> int:
    """The port of the node that a key leads to, with and without a loop."""
    before = calls(cluster)
    with contextlib.closing(cluster.connect()) as blocking:
        blocking.call(("EXISTS", key))
    connection = await connect(parse(cluster.url), key=key)
    await connection.call(("EXISTS", key))
    connection.close()
    after = calls(cluster)
    asked = [node.port for node in cluster.nodes if after[node] != before[node]]
    assert len(asked) == 1
    return asked[0]


def calls(cluster: Cluster) -> dict[Broker, str]:
    """How often each node was asked whether a key exists: something that changes with it."""
    return {node: node.info("commandstats").get("cmdstat_exists", "") for node in cluster.nodes}
