"""The proxy does to connections what it is told to, and says how often."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from faults.proxy import Proxy
from pipeline.broker import parse
from pipeline.errors import BrokerUnavailable
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking
from tests.acl import as_admin


@pytest.fixture
def broker(broker: str) -> str:
    """Its connections may say anything, so that the tests can ask for an echo."""
    return as_admin(broker)


@pytest.fixture
def proxy(broker: str) -> Iterator[Proxy]:
    with Proxy(broker, seed=1) as proxy:
        yield proxy


def connect(proxy: Proxy, timeout: float = 2.0) -> BlockingConnection:
    return connect_blocking(parse(proxy.url), timeout)


def test_without_a_fault_everything_passes(proxy):
    connection = connect(proxy)
    value = b"x" * 3_000_000
    assert connection.call(("SET", "a", value)) == b"OK"
    assert connection.call(("GET", "a")) == value
    connection.close()


def test_every_nth_reply_to_a_kind_of_command_is_lost_after_the_command_was_carried_out(proxy):
    proxy.drop_replies(3, to=b"INCR")
    connection, lost = connect(proxy), 0
    for _ in range(9):
        try:
            connection.call(("INCR", "n"))
        except BrokerUnavailable:
            connection, lost = connect(proxy), lost + 1
        assert connection.call(("PING",)) == b"PONG"
    assert lost == proxy.lost == 3
    assert connection.call(("GET", "n")) == b"9"
    connection.close()


def test_pieces_come_late_in_both_directions(proxy):
    connection = connect(proxy)
    proxy.slow(0.1)
    began = time.monotonic()
    connection.call(("PING",))
    assert time.monotonic() - began >= 0.2
    assert proxy.delayed == 2
    connection.close()


def test_a_narrow_link_takes_its_time_for_each_byte(proxy):
    connection = connect(proxy)
    proxy.slow(0.0, rate=1_000_000)
    began = time.monotonic()
    connection.call(("SET", "a", b"x" * 300_000))
    assert time.monotonic() - began >= 0.3
    connection.close()


def test_what_passes_is_cut_up(proxy):
    connection = connect(proxy)
    proxy.slice(7)
    assert connection.call(("ECHO", "0123456789" * 10)) == b"0123456789" * 10
    assert proxy.sliced >= 15
    connection.close()


def test_a_connection_is_reset_in_the_middle_of_what_it_says(proxy):
    connection = connect(proxy)
    proxy.reset_after(1000, 1000)
    with pytest.raises(BrokerUnavailable, match="reset"):
        connection.call(("ECHO", "x" * 990))
    assert proxy.resets == 1
    proxy.heal()
    other = connect(proxy)
    assert other.call(("ECHO", "x" * 2000)) == b"x" * 2000
    other.close()


def test_a_silent_connection_stays_silent_and_a_new_one_works_after_the_healing(proxy):
    first, second = connect(proxy, 0.2), connect(proxy, 0.2)
    for connection in (first, second):
        assert connection.call(("PING",)) == b"PONG"
    proxy.go_dark()
    # A login would be the first word that nobody answers.
    for ask in (lambda: first.call(("PING",)), lambda: connect(proxy, 0.2).call(("PING",))):
        with pytest.raises(BrokerUnavailable):
            ask()
    assert proxy.swallowed == 2
    proxy.heal()
    with pytest.raises(BrokerUnavailable):
        second.call(("PING",))
    later = connect(proxy)
    assert later.call(("PING",)) == b"PONG"
    later.close()


def test_a_broker_that_is_away_is_an_end_of_the_connection_and_not_of_the_proxy(tmp_path):
    with Proxy(f"unix://{tmp_path}/nobody") as proxy:
        for _ in range(2):
            with pytest.raises(BrokerUnavailable):
                connect(proxy).call(("PING",))
