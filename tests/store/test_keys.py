"""Every key in one place: what the scripts spell is in keys.py, and what drains leaves only counters behind."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.scripts import LUA
from tests.store.lua.given import HOUR, Queue, move, new

SPELLED = re.compile(r"(?:queue|flow) \.\. ':(\w+)(:?)'")
SOURCES = sorted(LUA.rglob("*.lua"))
OF_A_PROJECT = {
    "supervisors", "queues", "generations", "history", "totals", "flows", "flow", "audit", "signed_out", "looked",
    "layout",
}  # fmt: skip
# What a queue that was used keeps for ever, and a producer's last call, which is forgotten after a minute.
COUNTERS = {"last_id", "last_lease", "stats", "meta", "call:p"}


@pytest.fixture
def queue(broker: str) -> Iterator[Queue]:
    queue = Queue(broker)
    yield queue
    queue.connection.close()


def functions() -> dict[str, str]:
    """The key that each function makes for the queue `x`, by its name."""
    made = {}
    for name, function in inspect.getmembers(keys, inspect.isfunction):
        if name == "base":
            continue
        arguments: list[str | int] = ["x" for _ in inspect.signature(function).parameters]
        made[name] = function(*arguments)
    return made


def test_what_lua_spells_is_in_keys_and_the_other_way_round() -> None:
    spelled = {key + colon for path in SOURCES for key, colon in SPELLED.findall(path.read_text())}
    # One script walks three sets by the name of the state.
    spelled |= {"delayed", "dead", "cancelled"}
    in_keys = {
        re.sub(r"x$", "", key.removeprefix("x:")) if key.count(":") > 1 else key.removeprefix("x:")
        for name, key in functions().items()
        if name not in OF_A_PROJECT
    }
    assert spelled == in_keys


def test_a_keys_function_has_the_keys_name() -> None:
    for name, key in functions().items():
        assert name.removeprefix("flow_") in key


def test_all_keys_of_a_queue_share_the_hash_tag_of_its_base() -> None:
    base = keys.base("shop", "emails")
    assert base == "{shop:emails}"
    assert keys.wait(base, -5) == "{shop:emails}:wait:-5"
    assert keys.logs(base, "a:b") == "{shop:emails}:logs:a:b"
    assert all(key.startswith("x:") for name, key in functions().items() if name not in OF_A_PROJECT)


def test_a_queue_that_drained_keeps_counters_only(queue: Queue) -> None:
    queue.publish(1)
    queue.join("w1", "w2")
    queue.enqueue(*"abcdef", generation="1", level=3)
    queue.each(
        new("g", id="x", key="k"),
        new("h", due="+1000", level=5),
        new("i", key="t", window=HOUR),
        generation="1",
    )
    queue.age("delayed", 1_000)
    leases = queue.take("w1", 9)
    assert list(leases) == ["7", "1", "2", "3", "4", "5", "6", "x", "8"]
    run_blocking(queue.connection, queue.store.note("w1", "2", leases["2"], b"", "line"))
    queue.turn(
        done={"1": leases["1"]},
        moves=[
            move("dead", "2", leases["2"], runs=b"r", outcome=b"o"),
            move("delayed", "3", leases["3"], runs=b"r", level=3, delay=0),
            move("alone", "4", leases["4"], runs=b"r"),
            move("back", "5", leases["5"], level=3),
            move("front", "6", leases["6"], level=3),
            move("completed", "x", leases["x"], outcome=b"o", key="k", keep=HOUR),
            move("completed", "7", leases["7"], outcome=b"o"),
        ],
    )
    queue.cancel("5", level=3)
    queue.redrive("2", level=3)
    queue.turn("w2", done=queue.take("w2", source="alone"))
    queue.expel("w1")
    queue.reclaim("w1", move("front", "8", leases["8"]))
    queue.leave("w1")
    while taken := queue.take("w2", 5):
        queue.turn("w2", done=taken, keep=0)
    queue.send("PEXPIRE", f"{queue.name}:dedup:t", 0)
    queue.age("ids", HOUR)
    queue.leave("w2")
    bounds = dict.fromkeys(("completed_count", "dead_count", "dead_age", "cancelled_age"), 0)
    run_blocking(queue.connection, queue.store.sweep(expired=0, oldest="", **bounds))
    assert queue.state().keys() == COUNTERS
    assert queue.send("TTL", f"{queue.name}:call:p") <= 60
