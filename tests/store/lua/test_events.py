"""What happens to jobs is written to a stream, with ids only, and only while somebody watches."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.store.call import run_blocking
from tests.store.lua.given import HOUR, Queue, move, new

Told = list[tuple[str, str]]


def watch(queue: Queue, ms: int = 15_000) -> str:
    return run_blocking(queue.connection, queue.store.watch(ms))


def told(queue: Queue) -> Told:
    """The events so far, and none of them again."""
    entries = queue.send("XRANGE", f"{queue.name}:events", "-", "+")
    queue.send("DEL", f"{queue.name}:events")
    return [(event, ids) for _, (event, ids) in entries]


@pytest.fixture
def watched(queue: Queue) -> Queue:
    queue.join("w1")
    watch(queue)
    return queue


def test_nothing_is_written_while_nobody_watches(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    queue.turn(done=queue.take(want=2))
    assert "events" not in queue.state()


def test_the_way_of_a_job_is_told(watched: Queue) -> None:
    watched.enqueue("a", "b")
    taken = watched.take(want=2)
    watched.turn(done={"1": taken["1"]}, moves=[move("dead", "2", taken["2"], outcome=b"o")])
    assert told(watched) == [("enqueued", "1 2"), ("active", "1 2"), ("completed", "1"), ("dead", "2")]


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("completed", "completed"), ("dead", "dead"), ("cancelled", "cancelled"), ("delayed", "retry"),
        ("back", "retry"), ("front", "released"), ("unused", "released"), ("hold", "released"), ("alone", "released"),
    ],
)  # fmt: skip
def test_what_ends_a_lease_is_told(watched: Queue, kind: str, event: str) -> None:
    watched.enqueue("a")
    ((id, lease),) = watched.take().items()
    told(watched)
    watched.turn(moves=[move(kind, id, lease, outcome=b"o", delay=9999)])
    assert told(watched)[0] == (event, "1")


def test_one_that_was_told_to_stop_is_cancelled(watched: Queue) -> None:
    watched.enqueue("a")
    ((id, lease),) = watched.take().items()
    watched.cancel(id)
    told(watched)
    watched.turn(moves=[move("delayed", id, lease, delay=5)])
    assert told(watched) == [("cancelled", "1")]


def test_what_is_refused_is_not_told(watched: Queue) -> None:
    watched.enqueue("a", "b")
    taken = watched.take(want=2)
    told(watched)
    watched.turn(done={"1": 7, "2": taken["2"]})
    assert told(watched) == [("completed", "2")]


def test_what_is_taken_back_is_told(watched: Queue) -> None:
    watched.enqueue("a", "b")
    taken = watched.take(want=2)
    told(watched)
    watched.expel("w1")
    watched.reclaim("w1", move("front", "1", taken["1"]), move("dead", "2", taken["2"], outcome=b"o"))
    assert sorted(told(watched)) == [("dead", "2"), ("reclaimed", "1")]


@pytest.mark.parametrize("each", [True, False])
def test_a_job_that_is_handed_over_is_told_twice(watched: Queue, each: bool) -> None:
    watched.park("w2")
    if each:
        watched.each(new("a", id="x"))
    else:
        watched.enqueue("a")
    id = "x" if each else "1"
    assert told(watched) == [("enqueued", id), ("active", id)]


def test_a_replaced_payload_is_a_change_and_a_duplicate_is_nothing(watched: Queue) -> None:
    debounced: dict[str, Any] = {"key": "d", "window": 9999, "mode": "debounce", "due": "+9999"}
    watched.each(new("a", **debounced))
    watched.each(new("b", **debounced))
    watched.each(new("c", id="x"), new("d", id="x"))
    assert told(watched) == [("enqueued", "1"), ("changed", "1"), ("enqueued", "x")]


def test_what_people_do_is_told(watched: Queue) -> None:
    watched.each(new("a", id="x", due="+9999"), new("b", id="y"))
    told(watched)
    watched.hasten("x")
    watched.change("x", "a", level=3)
    watched.cancel("x", level=3)
    watched.redrive("x", level=3)
    watched.remove("x", level=3)
    watched.remove("nothing")
    watched.purge(9)
    assert told(watched) == [
        ("promoted", "x"), ("changed", "x"), ("cancelled", "x"), ("redriven", "x"), ("removed", "x"), ("removed", "y"),
    ]  # fmt: skip


def test_a_watcher_begins_behind_what_was_told_before(watched: Queue) -> None:
    assert watch(watched) == "0-0"
    watched.enqueue("a")
    assert watch(watched) == watched.send("XREVRANGE", f"{watched.name}:events", "+", "-")[0][0]


def test_when_the_watchers_are_gone_it_ends_by_itself(queue: Queue) -> None:
    queue.join("w1")
    watch(queue, 1)
    queue.until(int(queue.send("HGET", f"{queue.name}:meta", "watched")) + 1)
    queue.enqueue("a")
    assert not {"events", "meta"} & queue.state().keys()
    watch(queue)
    queue.enqueue("b")
    assert 0 < queue.send("PTTL", f"{queue.name}:events") <= 60_000


def test_a_watch_of_the_far_future_is_one_of_a_clock_that_went_back(watched: Queue) -> None:
    far = int(watched.send("HGET", f"{watched.name}:meta", "watched")) + HOUR
    watched.send("HSET", f"{watched.name}:meta", "watched", far)
    watched.enqueue("a")
    assert "events" not in watched.state()


def test_the_stream_is_capped(watched: Queue) -> None:
    for _ in range(12):
        watched.enqueue(*("r" for _ in range(1_000)))
    for n in range(3_000):
        watched.cancel(str(n + 1))
    entries = watched.send("XRANGE", f"{watched.name}:events", "-", "+")
    assert 1_000 <= len(entries) <= 1_200
    assert max(len(ids.split()) for _, (_, ids) in entries) <= 100
