"""A job that has a lane is changed while it waits; and what is told of lanes."""

from __future__ import annotations

import pytest

from pipeline.store.call import run_blocking
from pipeline.store.store import Copy
from tests.store.lua.given import Queue, move, new
from tests.store.lua.test_events import told, watch
from tests.store.lua.test_lanes import ONE, STRICT, end, given, lanes_left, last, only, taken, waiting


def in_turn(queue: Queue) -> list[str]:
    """All that waits, one after the other, each taken when the one before has ended."""
    order: list[str] = []
    leases = queue.take(want=1)
    while leases:
        order += leases
        leases = end(queue, leases, want=1)
    assert (waiting(queue), lanes_left(queue)) == (0, set())
    assert not {"stale", "ahead", "moved"} & queue.state().keys()
    return order


def test_a_job_in_its_lane_goes_to_its_new_priority_and_keeps_its_age(queue: Queue) -> None:
    given(queue, ONE, "aaaaa")
    assert queue.change("5", "a", level=5) == ("waiting", "waiting")
    queue.change("4", "a", level=5)
    queue.change("2", "a", level=-5)
    assert waiting(queue) == 5
    assert in_turn(queue) == ["1", "4", "5", "3", "2"]


@pytest.mark.parametrize("rule", [ONE, STRICT])
def test_a_job_goes_to_the_front_of_its_lane(queue: Queue, rule: str) -> None:
    given(queue, rule, "aaa")
    assert queue.change("3", "a", due="front") == ("waiting", "waiting")
    assert in_turn(queue) == ["1", "3", "2"]


def test_one_that_was_let_in_is_listed_anew_and_nobody_gets_its_room(queue: Queue) -> None:
    given(queue, ONE, "aab")
    queue.change("1", "a", level=-5)
    leases = queue.take(want=9)
    assert list(leases) == ["3", "1"]
    assert list(end(queue, only(leases, "1"), want=9)) == ["2"]


def test_in_strict_order_a_priority_changes_no_place_inside_the_lane(queue: Queue) -> None:
    given(queue, STRICT, "aaa")
    queue.change("3", "a", level=9)
    queue.change("1", "a", level=-9)
    assert in_turn(queue) == ["1", "2", "3"]


def test_a_retry_that_keeps_its_lane_goes_on_at_its_new_priority(queue: Queue) -> None:
    given(queue, STRICT, "aab")
    lease = queue.take(want=1)["1"]
    queue.turn(moves=[move("delayed", "1", lease, delay=60_000, runs=b"r")])
    assert queue.change("1", "a", level=-3) == ("delayed", "delayed")
    assert queue.change("1", "a", was=-3, due="+0") == ("delayed", "waiting")
    queue.change("1", "a", was=-3, level=-4)
    assert taken(queue) == ["3", "1"]
    assert taken(queue) == []
    assert not {"stale", "ahead"} & queue.state().keys()


def test_one_that_is_to_run_later_makes_room_in_its_lane(queue: Queue) -> None:
    given(queue, ONE, "aa")
    assert queue.change("1", "a", due="+60000") == ("waiting", "delayed")
    assert taken(queue) == ["2"]


@pytest.mark.parametrize("id", ["1", "2"])
def test_a_changed_one_is_withdrawn_by_whoever_knows_its_old_priority(queue: Queue, id: str) -> None:
    given(queue, ONE, "aaa")
    queue.change(id, "a", level=7)
    queue.cancel(id)
    queue.remove(id)
    assert in_turn(queue) == [left for left in ("1", "2", "3") if left != id]


def test_a_replacement_with_another_priority_is_withdrawn_by_its_old_one(queue: Queue) -> None:
    given(queue, STRICT, "")
    last(queue, "one")
    last(queue, "two", level=2)
    queue.remove("1", key="k")
    assert in_turn(queue) == []


def test_a_key_of_a_job_that_waits_outside_all_lanes_is_not_taken_over(queue: Queue) -> None:
    queue.each(new("one", key="k", level=3))
    given(queue, STRICT, "")
    assert last(queue, "two") == ("2", "created")
    assert in_turn(queue) == ["1", "2"]


def test_what_lanes_take_in_and_let_out_is_told(queue: Queue) -> None:
    given(queue, ONE, "")
    watch(queue)
    queue.each(*(new(lane, lane=lane) for lane in "aab"), generation="1")
    leases = queue.take(want=9)
    queue.change("2", "a", level=1)
    end(queue, leases, want=1)
    assert told(queue) == [
        ("enqueued", "1 2 3"),
        ("active", "1 3"),
        ("changed", "2"),
        ("completed", "1 3"),
        ("active", "2"),
    ]


def test_what_is_replaced_in_a_lane_is_told(queue: Queue) -> None:
    given(queue, STRICT, "")
    watch(queue)
    last(queue, "one")
    last(queue, "two", level=2)
    assert told(queue) == [("enqueued", "1"), ("changed", "1")]


def test_jobs_of_flows_and_copies_of_dead_ones_are_told(queue: Queue) -> None:
    queue.publish(1, lanes=ONE)
    watch(queue)
    for call in (
        queue.store.letter([Copy("shop:1", 0, b"copy")]),
        queue.store.letter([Copy("shop:1", 0, b"copy")]),
        queue.store.enqueue_own("1", 0, ["f/1", "f/2"], [b"a", b"b"], ["a", "a"]),
    ):
        run_blocking(queue.connection, call)
    assert told(queue) == [("enqueued", "shop:1"), ("enqueued", "f/1 f/2")]
