"""Attempts are counted by the names of their jobs with the turn that settles them, and there is an end to the names."""

from __future__ import annotations

import pytest

from pipeline.store import names
from pipeline.store.call import run_blocking
from tests.store.lua.given import Queue


@pytest.fixture
def queue(queue: Queue) -> Queue:
    queue.join("w1")
    return queue


def ends(queue: Queue) -> dict[tuple[str, str], int]:
    return run_blocking(queue.connection, names.ends("shop", "emails"))


def counter(outcome: str, name: str) -> str:
    return names.MARK + names.field(outcome, name)


def test_a_turn_counts_by_name_what_is_no_total_of_the_queue(queue: Queue) -> None:
    queue.turn(counters=[counter("completed", "send"), 3, "failed", 1, counter("failed", "send"), 1])
    queue.turn(counters=[counter("completed", "send"), 2, counter("completed", "a:b"), 1])
    assert ends(queue) == {("completed", "send"): 5, ("failed", "send"): 1, ("completed", "a:b"): 1}
    assert queue.stat("failed") == 1
    assert queue.stat(counter("completed", "send")) == 0


def test_a_turn_that_was_carried_out_already_counts_nothing(queue: Queue) -> None:
    queue.turn(number=5, counters=[counter("completed", "send"), 3])
    with pytest.raises(Exception, match="STALE"):
        queue.turn(number=5, counters=[counter("completed", "send"), 3])
    assert ends(queue) == {("completed", "send"): 3}


def test_new_names_are_counted_together_when_there_are_many(queue: Queue) -> None:
    for number in range(250):
        queue.turn(counters=[counter("completed", f"name{number}"), 2])
    queue.turn(counters=[counter("completed", "name7"), 1, counter("completed", "name249"), 1])
    found = ends(queue)
    assert len(found) <= 202
    assert found["completed", "name7"] == 3, "one that is known goes on"
    assert ("completed", "name249") not in found
    assert sum(found.values()) == 502
    assert found["completed", ""] == 502 - sum(count for (_, name), count in found.items() if name)


def test_supervisors_count_what_no_turn_does(queue: Queue) -> None:
    run_blocking(queue.connection, names.count("shop", "emails", {"dead:send": 1, "crashed:send": 2}))
    assert ends(queue) == {("dead", "send"): 1, ("crashed", "send"): 2}


def test_a_name_is_cut_at_64_characters() -> None:
    assert names.field("dead", "x" * 70) == "dead:" + "x" * 64
