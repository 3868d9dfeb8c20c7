"""Our own connections: replies in order, nothing shifted by a cancelled caller, and clear errors in time."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from faults.proxy import Proxy
from pipeline.broker import parse
from pipeline.errors import BrokerRefused, BrokerUnavailable
from pipeline.store.connect import connect, connect_blocking
from pipeline.store.scripts import script
from pipeline.store.wire import Connection
from tests.acl import as_admin

Server = Any
JOIN = script("join").command(queue="{q}", worker="w1", lease=60_000)


@pytest.fixture
def broker(broker: str) -> str:
    """Its connections may say anything, so that the tests can ask for an echo."""
    return as_admin(broker)


@pytest.fixture
def proxy(broker: str) -> Iterator[Proxy]:
    with Proxy(broker) as proxy:
        yield proxy


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of one that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://:pass@127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def ann(server: Server, broker: str) -> Iterator[str]:
    """The URL of a user with a password."""
    server.ask("ACL SETUSER ann on >p/ss ~* +@all")
    yield server.url.replace("unix://", "unix://ann:p%2Fss@")
    server.ask("ACL DELUSER ann")


def nowhere() -> str:
    """The URL of a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"redis://127.0.0.1:{listener.getsockname()[1]}"


# --- the connection for code without a loop ------------------------------------------------------------


def test_a_blocking_call_returns_its_reply_over_unix_and_tcp(broker: str, proxy: Proxy) -> None:
    for url in (broker, proxy.url):
        connection = connect_blocking(parse(url))
        assert connection.call(("ECHO", "é")) == "é".encode()
        connection.close()


def test_a_script_that_the_server_lost_is_sent_whole(broker: str) -> None:
    connection = connect_blocking(parse(broker))
    for _ in range(2):
        connection.call(("SCRIPT", "FLUSH"))
        assert connection.call(JOIN) > 0
    connection.close()


def test_a_database_is_chosen(broker: str) -> None:
    connection = connect_blocking(parse(f"{broker}?db=3"))
    assert b"db=3" in connection.call(("CLIENT", "INFO"))
    connection.close()


def test_a_login_is_needed_where_there_is_one(ann: str) -> None:
    connection = connect_blocking(parse(ann))
    assert connection.call(("ACL", "WHOAMI")) == b"ann"
    connection.close()


def test_an_error_reply_is_a_refusal_and_the_connection_goes_on(broker: str) -> None:
    connection = connect_blocking(parse(broker))
    with pytest.raises(BrokerRefused, match="the broker refused: ERR unknown command"):
        connection.call(("NONSENSE",))
    assert connection.call(("PING",)) == b"PONG"
    connection.close()


def test_nobody_at_the_address_is_said_with_the_way_out() -> None:
    with pytest.raises(
        BrokerUnavailable, match=r"no broker at 127\.0\.0\.1:[0-9]+: Connection refused"
    ) as caught:
        connect_blocking(parse(nowhere()))
    assert caught.value.help == "is it running, and is broker.url right?"


def test_silence_ends_with_the_time_limit(proxy: Proxy) -> None:
    connection = connect_blocking(parse(proxy.url), timeout=0.2)
    proxy.hold()
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="no answer from the broker"):
        connection.call(("PING",))
    assert 0.1 < time.monotonic() - began < 3


def test_a_connection_that_hung_up_is_said(proxy: Proxy) -> None:
    connection = connect_blocking(parse(proxy.url))
    proxy.lose_replies()
    with pytest.raises(BrokerUnavailable, match="the broker closed the connection"):
        connection.call(("PING",))


def test_the_reply_of_a_call_that_was_interrupted_is_no_other_calls(proxy: Proxy) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    connection = connect_blocking(parse(proxy.url))
    proxy.hold()
    before, greeted = signal.signal(signal.SIGUSR1, interrupt), proxy.writes
    killer = threading.Thread(target=kill_when, args=(lambda: proxy.writes == greeted + 1,))
    killer.start()
    with pytest.raises(KeyboardInterrupt):
        connection.call(("ECHO", "first"))
    killer.join()
    signal.signal(signal.SIGUSR1, before)
    proxy.flow()
    with pytest.raises(BrokerUnavailable):
        connection.call(("ECHO", "second"))


def kill_when(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGUSR1)


# --- the connection for coroutines ---------------------------------------------------------------------


async def echoes(connection: Connection, words: list[str]) -> list[bytes]:
    return await asyncio.gather(*(connection.call(("ECHO", word)) for word in words))


async def test_replies_come_in_the_order_of_the_calls_over_unix_and_tcp(broker: str, proxy: Proxy) -> None:
    words = [str(n) for n in range(500)]
    for url in (broker, proxy.url):
        connection = await connect(parse(url))
        assert await echoes(connection, words) == [word.encode() for word in words]
        connection.close()


async def test_calls_of_one_tick_leave_in_one_write(proxy: Proxy) -> None:
    connection = await connect(parse(proxy.url))
    await connection.call(("PING",))
    before = proxy.writes
    await echoes(connection, [str(n) for n in range(50)])
    assert proxy.writes == before + 1
    connection.close()


async def test_a_cancelled_caller_never_shifts_replies(proxy: Proxy) -> None:
    connection = await connect(parse(proxy.url))
    proxy.hold()
    calls = [asyncio.ensure_future(connection.call(("ECHO", str(n)))) for n in range(30)]
    await asyncio.sleep(0)
    for call in calls[::3]:
        call.cancel()
    proxy.flow()
    replies = await asyncio.gather(*calls, return_exceptions=True)
    for n, reply in enumerate(replies):
        assert isinstance(reply, asyncio.CancelledError) if n % 3 == 0 else reply == str(n).encode()
    assert await echoes(connection, ["after"]) == [b"after"]
    connection.close()


async def test_a_missing_script_among_other_calls_gets_its_own_reply(broker: str) -> None:
    connection = await connect(parse(broker))
    await connection.call(("SCRIPT", "FLUSH"))
    calls = [connection.call(("ECHO", "a")), connection.call(JOIN), connection.call(("ECHO", "b"))]
    first, time_ms, last = await asyncio.gather(*calls)
    assert (first, last) == (b"a", b"b")
    assert time_ms > 1_000_000_000_000
    connection.close()


async def test_an_error_reply_is_a_refusal_of_that_call_only(broker: str) -> None:
    connection = await connect(parse(broker))
    calls = [connection.call(("NONSENSE",)), connection.call(("ECHO", "a"))]
    refused, echoed = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(refused, BrokerRefused)
    assert echoed == b"a"
    connection.close()


async def test_whoever_waits_when_the_connection_breaks_is_told(proxy: Proxy) -> None:
    connection = await connect(parse(proxy.url))
    await connection.call(("PING",))
    proxy.hold()
    calls = [asyncio.ensure_future(connection.call(("PING",))) for _ in range(3)]
    await asyncio.sleep(0)
    proxy.hang_up()
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(reply) for reply in replies] == [BrokerUnavailable] * 3
    assert connection.lost.done()
    with pytest.raises(BrokerUnavailable, match="the broker closed the connection"):
        await connection.call(("PING",))


async def test_closing_tells_whoever_waits(proxy: Proxy) -> None:
    connection = await connect(parse(proxy.url))
    proxy.hold()
    call = asyncio.ensure_future(connection.call(("PING",)))
    await asyncio.sleep(0)
    connection.close()
    with pytest.raises(BrokerUnavailable):
        await call


async def test_a_login_is_used_and_a_database_chosen(ann: str) -> None:
    connection = await connect(parse(f"{ann}?db=2"))
    info = await connection.call(("CLIENT", "INFO"))
    assert b"user=ann" in info
    assert b"db=2" in info
    connection.close()


async def test_a_wrong_password_is_a_refusal(ann: str) -> None:
    with pytest.raises(BrokerRefused, match="WRONGPASS"):
        await connect(parse(ann.replace("p%2Fss", "wrong")))


async def test_nobody_at_the_address_is_unavailable() -> None:
    with pytest.raises(BrokerUnavailable, match=r"no broker at 127\.0\.0\.1:[0-9]+: "):
        await connect(parse(nowhere()))


async def test_one_that_never_greets_is_unavailable_within_the_time_limit(silent: str) -> None:
    with pytest.raises(BrokerUnavailable, match="it did not answer in time"):
        await connect(parse(silent), timeout=0.1)
