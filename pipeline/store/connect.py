"""Connections to a broker, wherever it is found: one server, the primary of several, or all nodes of a cluster."""

from __future__ import annotations

import asyncio
import time

from pipeline.broker import Address
from pipeline.errors import BrokerError, BrokerUnavailable
from pipeline.store.blocking import BlockingConnection, BlockingWire
from pipeline.store.blocking_cluster import BlockingCluster
from pipeline.store.cluster import Cluster
from pipeline.store.discover import Result, Search, primary, slot_map
from pipeline.store.wire import Command, Connection, Reply, open_wire

ASK_SECONDS = 1.0
"""For each server that is asked where to go: the next one may know."""


async def connect(address: Address, timeout: float = 5.0, key: str = "") -> Connection:
    """Open a connection within `timeout` seconds; in a cluster, `key` is what it must reach for as long as it lasts.

    Raises BrokerUnavailable, or BrokerRefused for a bad login.
    """
    if address.way == "one":
        return await open_wire(address, timeout)
    end = time.monotonic() + timeout
    if address.way != "cluster":
        server = await _search(primary(address), end)
        return await open_wire(server, end - time.monotonic())
    slots = await _search(slot_map(address), end)
    cluster = Cluster(
        address, slots, lambda known: _search(slot_map(address, known), time.monotonic() + timeout)
    )
    if key:
        await cluster.reach(key, end - time.monotonic())
    return cluster


def connect_blocking(address: Address, timeout: float = 5.0) -> BlockingConnection:
    """As `connect`, without a loop. `timeout` is that of each command, too."""
    if address.way == "one":
        return BlockingWire(address, timeout)
    end = time.monotonic() + timeout
    if address.way == "cluster":
        return BlockingCluster(address, _search_blocking(slot_map(address), end), timeout)
    return BlockingWire(_search_blocking(primary(address), end), timeout)


async def _search(search: Search[Result], end: float) -> Result:
    answer: Reply | BrokerError = None
    while True:
        try:
            server, question = search.send(answer)
        except StopIteration as found:
            return found.value  # type: ignore[no-any-return]
        try:
            answer = await _ask(server, question, _patience(server, end))
        except BrokerError as error:
            answer = error


async def _ask(server: Address, question: Command, seconds: float) -> Reply:
    wire = await open_wire(server, seconds)
    try:
        async with asyncio.timeout(seconds):
            return await wire.call(question)
    except TimeoutError:
        raise BrokerUnavailable(f"{server} does not answer") from None
    finally:
        wire.close()


def _search_blocking(search: Search[Result], end: float) -> Result:
    answer: Reply | BrokerError = None
    while True:
        try:
            server, question = search.send(answer)
        except StopIteration as found:
            return found.value  # type: ignore[no-any-return]
        try:
            wire = BlockingWire(server, _patience(server, end))
            try:
                answer = wire.call(question)
            finally:
                wire.close()
        except BrokerError as error:
            answer = error


def _patience(server: Address, end: float) -> float:
    """Seconds for one question. Raises BrokerUnavailable when there is no time left."""
    left = end - time.monotonic()
    if left <= 0:
        raise BrokerUnavailable(f"no time was left to ask {server}")
    return min(left, ASK_SECONDS)
