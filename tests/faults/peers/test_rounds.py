"""The harness that puts faults to other queues: what it injects bites, and what it reads is there."""

from __future__ import annotations

import shutil
import socket

import pytest

from faults.broker import Broker
from faults.peers import audit, rounds
from faults.peers.losing import LosingProxy
from faults.peers.rounds import FAULTS, Round
from faults.peers.subjects import SUBJECTS

PLACES = (
    ("SET", "text", "job-1-of-faults"),
    ("RPUSH", "list", "job-2-of-faults"),
    ("SADD", "set", "in job-3-of-faults here"),
    ("ZADD", "sorted", "1", "job-4-of-faults"),
    ("HSET", "hash", "field", "job-5-of-faults"),
    ("XADD", "stream", "*", "field", "job-6-of-faults"),
)


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def test_what_is_kept_of_a_job_is_found_in_every_type_of_value(broker):
    for command in PLACES:
        broker.call(*command)
    broker.call("SET", "other", "job-of-faults")
    assert audit.kept(broker) == {1, 2, 3, 4, 5, 6}


def say(end: socket.socket, *words: str) -> bytes:
    """The first bytes of the reply; none when the connection was cut."""
    parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    end.sendall(f"*{len(words)}\r\n{parts}".encode())
    return end.recv(1000)


def test_the_reply_to_every_nth_write_is_lost_and_the_write_is_carried_out(broker):
    with LosingProxy(broker.url, every=2) as proxy:
        address = ("127.0.0.1", int(proxy.url.rpartition(":")[2]))
        with socket.create_connection(address, 10) as end:
            assert say(end, "lpush", "queue", "a") == b":1\r\n"
            assert say(end, "GET", "x") == b"$-1\r\n"
            assert say(end, "LPUSH", "queue", "b") == b""
        with socket.create_connection(address, 10) as end:
            assert say(end, "LPUSH", "queue", "c") == b":3\r\n"
        assert proxy.lost == 1


@pytest.mark.skipif(not shutil.which("unshare"), reason="hosts of other names are Linux's")
def test_a_round_of_ours_loses_nothing_and_its_fault_bites(tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "QUIET", 0.5)
    with Round(SUBJECTS["ours"], tmp_path / "round") as round:
        row = FAULTS["F9"](round)
    assert row["replies_lost"] >= 50
    assert (row["acknowledged"], row["ok"], row["lost"], row["duplicated"], row["errors"]) == (
        500,
        500,
        0,
        0,
        0,
    )
