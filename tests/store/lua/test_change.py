"""A job is changed while it waits: its record, its priority, its time; and where it is found afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.store.call import run_blocking
from tests.store.lua.given import Queue, State, new
from tests.store.lua.test_person import active, alone, cancelled, completed, dead, delayed, waiting

GIVEN: dict[str, Any] = {"seen": "r", "was": 4}
AT_4, TO_9 = {"wait:4": ["x"]}, {"jobs": {"x": "s"}, "moved": {"x": "9"}}

CASES: list[tuple[Callable[[Queue], None], str, tuple[str | None, str | None], State]] = [
    (
        waiting,
        "",
        ("waiting", "waiting"),
        TO_9 | {"stale": {"4:x": "1"}, "wait:9": ["x"], "levels": ["9", "4"]},
    ),
    (
        waiting,
        "+9999",
        ("waiting", "delayed"),
        TO_9 | {"stale": {"4:x": "1"}, "delayed": ["x"], "levelof": {"x": "9"}},
    ),
    (delayed, "", ("delayed", "delayed"), TO_9 | {"levelof": {"x": "9"}}),
    (
        delayed,
        "+0",
        ("delayed", "waiting"),
        TO_9 | {"delayed": None, "levelof": None, "wait:9": ["x"], "levels": ["9"]},
    ),
    (alone, "", ("alone", "waiting"), TO_9),
    (alone, "+9999", ("alone", None), {}),
    (active, "", ("active", None), {}),
    (completed, "", ("completed", None), {}),
    (dead, "", ("dead", "dead"), TO_9),
    (dead, "front", ("dead", None), {}),
    (cancelled, "", ("cancelled", "cancelled"), TO_9),
]


@pytest.mark.parametrize(
    ("given", "due", "answer", "expected"),
    [pytest.param(*case, id=f"{case[0].__name__} {case[1]}") for case in CASES],
)
def test_a_change_of_a_job_in_each_state(
    queue: Queue,
    given: Callable[[Queue], None],
    due: str,
    answer: tuple[str | None, str | None],
    expected: State,
) -> None:
    queue.join("w1")
    given(queue)
    if "wait:4" not in queue.state():
        queue.turn(want=1)
    with queue.changes() as changed:
        assert queue.change("x", **GIVEN, record="s", level=9, due=due) == answer
    assert changed == expected


def test_a_job_that_is_not_kept_is_not_changed(queue: Queue) -> None:
    assert queue.change("x", "r", "s") == (None, None)
    assert queue.state() == {}


def test_a_change_made_from_an_older_record_does_nothing(queue: Queue) -> None:
    waiting(queue)
    queue.change("x", **GIVEN, record="s")
    with queue.changes() as changed:
        assert queue.change("x", **GIVEN, record="t", level=9) == ("changed", None)
    assert changed == {}


def test_a_new_payload_leaves_the_job_in_its_place(queue: Queue) -> None:
    queue.enqueue("a", "b")
    queue.join("w1")
    queue.change("1", "a", "A")
    assert queue.turn(want=2).records == ["A", "b"]


def test_a_job_goes_to_the_end_of_its_new_priority(queue: Queue) -> None:
    queue.enqueue("a")
    queue.enqueue("b", "c", level=5)
    queue.join("w1")
    queue.change("1", "a", level=5)
    assert list(queue.take(want=5)) == ["2", "3", "1"]


def test_a_job_that_went_back_and_forth_waits_where_it_went_last(queue: Queue) -> None:
    queue.enqueue("a", "b", level=5)
    queue.join("w1")
    queue.change("1", "a", was=5, level=3)
    queue.change("1", "a", was=3, level=5)
    assert list(queue.take(want=5)) == ["2", "1"]
    assert "stale" not in queue.state() or queue.take(want=5) == {}
    assert not {"stale", "ahead"} & queue.state().keys()


def test_a_job_goes_to_the_front_of_its_own_priority(queue: Queue) -> None:
    queue.enqueue("a", "b", "c")
    queue.join("w1")
    assert queue.change("3", "c", due="front") == ("waiting", "waiting")
    assert list(queue.take(want=5)) == ["3", "1", "2"]
    assert not {"stale", "ahead"} & queue.state().keys()


@pytest.mark.parametrize("command", ["cancel", "remove"])
def test_one_that_was_put_to_the_front_can_be_withdrawn(queue: Queue, command: str) -> None:
    queue.enqueue("a", "b", "c")
    queue.join("w1")
    queue.change("3", "c", due="front")
    getattr(queue, command)("3")
    assert list(queue.take(want=5)) == ["1", "2"]
    assert not {"stale", "ahead"} & queue.state().keys()


def test_one_that_was_put_to_the_front_can_go_to_the_end_again(queue: Queue) -> None:
    queue.enqueue("a", "b")
    queue.join("w1")
    queue.change("2", "b", due="front")
    queue.cancel("2")
    queue.redrive("2")
    assert list(queue.take(want=5)) == ["1", "2"]


@pytest.mark.parametrize("command", ["cancel", "remove"])
def test_a_command_that_read_the_job_before_finds_it_at_its_new_priority(queue: Queue, command: str) -> None:
    queue.enqueue("a")
    queue.join("w1")
    queue.change("1", "a", level=7)
    getattr(queue, command)("1", level=0)
    assert queue.take(want=5) == {}
    assert not {"stale", "wait:7", "wait:0"} & queue.state().keys()


@pytest.mark.parametrize("command", ["hasten", "redrive"])
def test_what_comes_back_waits_at_its_new_priority(queue: Queue, command: str) -> None:
    queue.each(new("a", id="x", due="+9999"))
    if command == "redrive":
        queue.cancel("x")
    queue.change("x", "a", level=7)
    getattr(queue, command)("x", level=0)
    assert queue.state()["wait:7"] == ["x"]


def test_a_debounced_call_with_another_priority_is_found_there(queue: Queue) -> None:
    queue.each(new("a", key="d", window=9999, mode="debounce", due="+9999"))
    queue.each(new("b", key="d", window=9999, mode="debounce", due="+9999", level=3))
    queue.hasten("1", level=0)
    assert queue.state()["wait:3"] == ["1"]


def test_what_was_changed_is_forgotten_with_the_job(queue: Queue) -> None:
    queue.enqueue("a")
    queue.join("w1")
    queue.change("1", "a", level=7)
    queue.turn(done=queue.take(), keep=0)
    assert "moved" not in queue.state()


def test_a_nearer_time_wakes_who_sleeps_until_the_one_before(queue: Queue) -> None:
    queue.each(new("a", due="+9999"))
    queue.park("w1")
    queue.change("1", "a", due="+10")
    assert queue.state()["inbox:w1"] == [""]


def test_a_job_that_becomes_due_wakes_a_worker(queue: Queue) -> None:
    queue.each(new("a", due="+9999"))
    queue.park("w1")
    assert queue.change("1", "a", due="+0") == ("delayed", "waiting")
    assert queue.state()["inbox:w1"] == [""]


def test_a_waiting_job_that_was_delayed_runs_when_it_is_due(queue: Queue) -> None:
    queue.enqueue("a", "b")
    queue.join("w1")
    queue.change("1", "a", due="+5000")
    assert list(queue.take(want=5)) == ["2"]
    queue.age("delayed", 5_000)
    assert list(queue.take(want=5)) == ["1"]
    assert run_blocking(queue.connection, queue.store.leave("w1")) == 0
