"""Which node of a cluster a command goes to."""

from __future__ import annotations

from typing import Any

import hiredis
import pytest
from redis.crc import key_slot

from pipeline.broker import Node
from pipeline.errors import BrokerUnavailable
from pipeline.store import keys
from pipeline.store.scripts import script
from pipeline.store.slots import Beside, SlotMap, key_of, slot

ASKED = Node("seed", 7000)
FIRST, SECOND = Node("10.0.0.1", 7001), Node("10.0.0.2", 7002)
REPLY = [
    [8192, 16383, [b"10.0.0.2", 7002, b"id2"]],
    [0, 8000, [b"10.0.0.1", 7001, b"id1"], [b"10.0.0.3", 7003, b"replica"]],
]


@pytest.mark.parametrize(
    "key", ["123456789", "{shop:a}:jobs", "{}x", "x{", "a{b}c{d}", "{shop}:queues", "ü{é}", "{a}}", "{{a}}"]
)
def test_slots_are_those_of_the_servers(key: str) -> None:
    assert slot(key) == slot(key.encode()) == key_slot(key.encode())


def test_all_keys_of_a_queue_have_the_slot_that_its_scripts_are_sent_by() -> None:
    base = keys.base("shop", "emails")
    command = script("pause").command(queue=base, paused=1, by="me")
    assert slot(key_of(command) or "") == slot(keys.jobs(base)) == slot(keys.inbox(base, "w")) == slot(base)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("HGET", "k", "f"), "k"),
        (("BLMPOP", 2, 1, "k", "LEFT"), "k"),
        (("XREAD", "COUNT", 5, "STREAMS", "k", "0"), "k"),
        ((b"EVALSHA", b"sha", 1, "k", "a"), "k"),
        (("TIME",), None),
        (Beside("k", ("WAIT", 1, 100)), "k"),
    ],
)
def test_a_command_goes_where_its_key_is(command: tuple[Any, ...], key: str | None) -> None:
    assert key_of(command) == key


def test_a_command_beside_a_key_is_sent_as_it_stands() -> None:
    question: Any = ("WAIT", 1, 100)
    beside: Any = Beside("k", question)
    assert hiredis.pack_command(beside) == hiredis.pack_command(question)


def test_a_map_says_which_primary_has_a_slot() -> None:
    slots = SlotMap(REPLY, ASKED)
    assert [slots.node(number) for number in (0, 8000, 8192, 16383)] == [FIRST, FIRST, SECOND, SECOND]
    assert slots.nodes == (FIRST, SECOND)
    with pytest.raises(BrokerUnavailable, match="no node of the cluster has slot 8100"):
        slots.node(8100)


def test_a_node_that_tells_no_host_is_where_it_was_asked() -> None:
    assert SlotMap([[0, 16383, [b"", 7001, b"id"]]], ASKED).node(5) == Node("seed", 7001)
    assert SlotMap([[0, 16383, [None, 7001, b"id"]]], ASKED).node(5) == Node("seed", 7001)


def test_a_cluster_without_slots_is_refused() -> None:
    with pytest.raises(BrokerUnavailable, match="seed:7000 knows of no node that has a slot"):
        SlotMap([], ASKED)


def test_a_moved_slot_is_followed_and_remembered() -> None:
    slots = SlotMap(REPLY, ASKED)
    third = Node("10.0.0.9", 7009)
    assert slots.follow(hiredis.ReplyError("MOVED 5 10.0.0.9:7009"), FIRST) == third
    assert (slots.node(5), slots.node(6)) == (third, FIRST)
    assert slots.follow(hiredis.ReplyError("MOVED 6 :7009"), FIRST) == Node(FIRST.host, 7009)


@pytest.mark.parametrize("told", ["ASK 5 10.0.0.9:7009", "TRYAGAIN", "ERR MOVED"])
def test_nothing_else_is_followed(told: str) -> None:
    assert SlotMap(REPLY, ASKED).follow(hiredis.ReplyError(told), FIRST) is None
