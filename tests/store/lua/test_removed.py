"""A queue that its file does not have any more: it takes nothing new, and keeps what it has."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.store.call import StalePolicy, run_blocking
from tests.store.lua.given import Queue, new


def learnt(queue: Queue) -> list[Any]:
    """What a producer is told, without the time."""
    _, *told = run_blocking(queue.connection, queue.store.policy())
    return told


def test_a_removed_queue_keeps_its_jobs_and_loses_its_policy(queue: Queue) -> None:
    queue.publish(1, limited=5)
    queue.enqueue("a", generation="1")
    with queue.changes() as changed:
        assert queue.retract(2) is True
    assert changed == {"meta": {"generation": "2", "removed": "2"}}


def test_the_end_of_its_limit_wakes_whoever_was_parked_because_of_it(queue: Queue) -> None:
    queue.publish(1, limited=1)
    queue.join("w1", "w2")
    queue.enqueue("a", "b", generation="1")
    queue.take("w1")
    queue.turn("w2", park=True, want=1)
    with queue.changes() as changed:
        queue.retract(2)
    assert (changed["idle"], changed["inbox:w2"]) == (None, [""])


@pytest.mark.parametrize("generation", ["", "1"])
def test_a_removed_queue_refuses_whoever_knew_it(queue: Queue, generation: str) -> None:
    queue.publish(1)
    queue.retract(2)
    with queue.changes() as changed:
        with pytest.raises(StalePolicy):
            queue.enqueue("a", generation=generation)
        with pytest.raises(StalePolicy):
            queue.each(new("a", id="x"), generation=generation)
    assert changed == {}


def test_a_producer_is_told_when_the_queue_was_removed_and_how_many_wait(queue: Queue) -> None:
    queue.publish(1)
    queue.enqueue(*"abc", generation="1")
    queue.enqueue("d", generation="1", level=4)
    queue.cancel("2")
    assert learnt(queue) == [b"1", b"{}", None, None, None, None]
    queue.retract(2)
    assert learnt(queue) == [b"2", None, b"2", 3]


def test_a_call_that_lost_its_answer_before_the_removal_is_answered_after_it(queue: Queue) -> None:
    queue.publish(1)
    assert queue.enqueue("a", generation="1", call=7) == 1
    queue.retract(2)
    with queue.changes() as changed:
        assert queue.enqueue("a", generation="1", call=7) == 1
    assert changed == {}


def test_a_queue_that_is_put_back_takes_jobs_and_wakes_its_workers(queue: Queue) -> None:
    queue.publish(1)
    queue.enqueue("a", generation="1")
    queue.retract(2)
    queue.join("w1")
    queue.send("SADD", f"{queue.name}:idle", "w1")
    queue.publish(3, "{}")
    assert queue.state()["meta"] == {"generation": "3", "policy": "{}"}
    assert queue.state()["inbox:w1"] == [""]
    assert queue.enqueue("b", generation="3") == 2
    assert list(queue.take(want=5)) == ["1", "2"]


@pytest.mark.parametrize("before", ["newer", "removed"])
def test_only_an_open_queue_is_closed_and_never_by_an_older_generation(queue: Queue, before: str) -> None:
    queue.publish(5)
    if before == "removed":
        queue.retract(6)
    with queue.changes() as changed:
        assert queue.retract(4 if before == "newer" else 7) is False
    assert changed == {}


def test_an_older_generation_does_not_open_a_removed_queue(queue: Queue) -> None:
    queue.publish(1)
    queue.retract(3)
    assert queue.publish(2) == 3
    assert queue.state()["meta"] == {"generation": "3", "removed": "3"}
