"""What a person does to one job, in each state that it can be in: cancel, remove, redrive, hasten; and purge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.store.call import run_blocking
from tests.store.lua.given import HOUR, Queue, State, move, new

KEY: dict[str, Any] = {"key": "k", "level": 4}


def waiting(queue: Queue) -> None:
    queue.each(new("r", id="x", key="k", level=4))


def delayed(queue: Queue) -> None:
    queue.each(new("r", id="x", key="k", level=4, due="+9999"))


def alone(queue: Queue) -> None:
    active(queue)
    queue.turn(moves=[move("alone", "x", queue.lease)])


def active(queue: Queue) -> None:
    waiting(queue)
    queue.take()


def completed(queue: Queue) -> None:
    active(queue)
    queue.turn(moves=[move("completed", "x", queue.lease, outcome=b"done", key="k", keep=HOUR)])


def dead(queue: Queue) -> None:
    active(queue)
    ended = {"runs": b"[1,0,[]]", "outcome": b"died", "key": "k", "keep": HOUR}
    queue.turn(moves=[move("dead", "x", queue.lease, **ended)])


def cancelled(queue: Queue) -> None:
    waiting(queue)
    queue.cancel("x", **KEY, keep=HOUR)


def nothing(queue: Queue) -> None:
    """No such job."""


FREED = {"dedup:k": None, "ids": ["x"]}
GONE = {"jobs": None}
STALE = {"stale": {"4:x": "1"}}
CANCELLED = {"cancelled": ["x"], "outcomes": {"x": "cancelled by ann"}} | FREED
WAITS = {"wait:4": ["x"], "levels": ["4"]}

CASES: list[tuple[Callable[[Queue], None], str, str | None, State, dict[str, int]]] = [
    (waiting, "cancel", "waiting", CANCELLED | STALE, {"cancelled": 1}),
    (delayed, "cancel", "delayed", CANCELLED | {"delayed": None, "levelof": None}, {"cancelled": 1}),
    (alone, "cancel", "waiting", CANCELLED | {"alone": None}, {"cancelled": 1}),
    (completed, "cancel", "completed", {}, {}),
    (dead, "cancel", "dead", {}, {}),
    (cancelled, "cancel", "cancelled", {}, {}),
    (nothing, "cancel", None, {}, {}),
    (waiting, "remove", "waiting", GONE | FREED | STALE, {"purged": 1}),
    (delayed, "remove", "delayed", GONE | FREED | {"delayed": None, "levelof": None}, {"purged": 1}),
    (alone, "remove", "waiting", GONE | FREED | {"alone": None}, {"purged": 1}),
    (active, "remove", "active", {}, {}),
    (completed, "remove", "completed", GONE | {"completed": None, "outcomes": None}, {}),
    (dead, "remove", "dead", GONE | {"dead": None, "outcomes": None, "runs": None}, {}),
    (cancelled, "remove", "cancelled", GONE | {"cancelled": None, "outcomes": None}, {}),
    (nothing, "remove", None, {}, {}),
    (waiting, "redrive", "waiting", {}, {}),
    (delayed, "redrive", "delayed", {}, {}),
    (active, "redrive", "active", {}, {}),
    (completed, "redrive", "completed", {}, {}),
    (
        dead,
        "redrive",
        "dead",
        WAITS | {"dead": None, "outcomes": None, "runs": None, "ids": None, "dedup:k": "x"},
        {"redriven": 1},
    ),
    (
        cancelled,
        "redrive",
        "cancelled",
        {"cancelled": None, "outcomes": None, "ids": None, "dedup:k": "x", "wait:4": ["x", "x"]},
        {"redriven": 1},
    ),
    (nothing, "redrive", None, {}, {}),
    (waiting, "hasten", "waiting", {}, {}),
    (delayed, "hasten", "delayed", WAITS | {"delayed": None, "levelof": None}, {}),
    (active, "hasten", "active", {}, {}),
    (completed, "hasten", "completed", {}, {}),
    (dead, "hasten", "dead", {}, {}),
    (cancelled, "hasten", "cancelled", {}, {}),
    (nothing, "hasten", None, {}, {}),
]


@pytest.mark.parametrize(
    ("given", "command", "answer", "expected", "totals"),
    [pytest.param(*case, id=f"{case[1]} {case[0].__name__}") for case in CASES],
)
def test_a_command_on_a_job_in_each_state(
    queue: Queue,
    given: Callable[[Queue], None],
    command: str,
    answer: str | None,
    expected: State,
    totals: dict[str, int],
) -> None:
    queue.join("w1")
    given(queue)
    if "wait:4" not in queue.state():
        # A level stays listed until a worker meets its empty list.
        queue.turn(want=1)
    before = queue.state().get("stats", {})
    options = KEY | {"keep": HOUR} if command in ("cancel", "remove") else KEY
    if command == "hasten":
        options = {"level": 4}
    with queue.changes() as changed:
        assert getattr(queue, command)("x", **options) == answer
    after = changed.pop("stats", before)
    assert {k: int(v) for k, v in after.items() if before.get(k) != v} == totals
    assert changed == expected


@pytest.mark.parametrize("given", [dead, cancelled])
def test_a_job_whose_key_another_holds_stays_where_it_is(
    queue: Queue, given: Callable[[Queue], None]
) -> None:
    queue.join("w1")
    given(queue)
    queue.each(new("other", key="k"))
    with queue.changes() as changed:
        assert queue.redrive("x", **KEY) == "duplicate of 1"
    assert changed == {}


@pytest.mark.parametrize("command", ["redrive", "hasten"])
def test_what_becomes_takeable_wakes_a_parked_worker(queue: Queue, command: str) -> None:
    queue.join("w1")
    given = dead if command == "redrive" else delayed
    given(queue)
    queue.park("w2")
    getattr(queue, command)("x", level=4)
    assert queue.state()["inbox:w2"] == [""]


def test_many_jobs_are_redriven_and_removed_in_one_call(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue(*("r" for _ in range(800)))
    leases = queue.take(want=800)
    queue.turn(moves=[move("dead", id, lease, outcome=b"o") for id, lease in leases.items()])
    ids = list(leases)
    redriven = run_blocking(queue.connection, queue.store.redrive([(id, 0, "", b"") for id in ids[:400]]))
    removed = run_blocking(queue.connection, queue.store.remove([(id, 0, "", "") for id in ids[400:]]))
    assert (set(redriven), set(removed)) == ({"dead"}, {"dead"})
    state = queue.state()
    assert (state["wait:0"], "dead" in state, len(state["jobs"])) == (ids[:400], False, 400)


# --- purge ---------------------------------------------------------------------------------------------


def test_a_purge_deletes_waiting_jobs_only_the_highest_level_first(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("running", level=9)
    queue.take()
    queue.enqueue("a", "b")
    queue.enqueue("c", level=2)
    queue.each(new("later", due="+9999"))
    with queue.changes() as changed:
        assert queue.purge(2) == [(b"4", b"c"), (b"2", b"a")]
    assert changed == {
        "jobs": {"1": "running", "3": "b", "5": "later"},
        "wait:0": ["3"],
        "wait:2": None,
        "levels": ["0"],
        "stats": {"purged": "2"},
    }


def test_a_purge_passes_by_what_was_cancelled(queue: Queue) -> None:
    queue.enqueue("a", "b")
    queue.cancel("1")
    assert queue.purge(10) == [(b"2", b"b")]
    assert (queue.stat("purged"), queue.stat("cancelled")) == (1, 1)
    assert queue.purge(10) == []
    assert "stale" not in queue.state()


def test_a_purge_of_a_thousand_is_one_call(queue: Queue) -> None:
    queue.enqueue(*("r" for _ in range(1_000)))
    assert len(queue.purge(1_000)) == 1_000


def test_the_keys_of_purged_jobs_are_freed_unless_another_holds_them(queue: Queue) -> None:
    queue.each(new("a", key="k"), new("b", key="l"))
    with queue.changes() as changed:
        run_blocking(queue.connection, queue.store.free([("1", "k", ""), ("1", "l", ""), ("1", "m", "")]))
    assert changed == {"dedup:k": None}


# --- a job that runs is cancelled ----------------------------------------------------------------------


@pytest.fixture
def running(queue: Queue) -> int:
    """Job x runs in w1, and was cancelled; its lease."""
    queue.join("w1")
    queue.each(new("r", id="x", key="k"))
    lease = queue.take()["x"]
    assert queue.cancel("x", key="k", keep=HOUR) == "active"
    return lease


def test_its_worker_is_told_to_stop_it(queue: Queue, running: int) -> None:
    assert queue.state()["inbox:w1"] == [f"! {running} x"]


def test_a_letter_that_tells_to_stop_is_no_job(queue: Queue, running: int) -> None:
    command = queue.store.turn(
        "w1", 99, want=1, park=False, holds=1, source="", keep=-1, ids=[], leases=[], outcomes=[], moves=[], counters=[]
    )  # fmt: skip
    reply = queue.connection.call(command)
    assert (reply[2], reply[7]) == (None, [f"! {running} x".encode()])


@pytest.mark.parametrize("kind", ["front", "unused", "back", "delayed", "alone", "hold"])
def test_it_is_cancelled_instead_of_running_again(queue: Queue, running: int, kind: str) -> None:
    queue.turn(moves=[move(kind, "x", running, delay=5)])
    state = queue.state()
    assert (state["cancelled"], state["outcomes"]) == (["x"], {"x": "cancelled by ann"})
    assert not {"stops", "active:w1", "wait:0", "delayed", "alone", "dedup:k"} & state.keys()
    assert (state["ids"], queue.stat("cancelled")) == (["x"], 1)


def test_it_is_cancelled_when_its_worker_dies(queue: Queue, running: int) -> None:
    queue.expel("w1")
    queue.reclaim("w1", move("front", "x", running, runs=b"[0,1,[]]"))
    assert queue.state()["cancelled"] == ["x"]


@pytest.mark.parametrize("kind", ["completed", "dead"])
def test_one_that_ends_by_itself_before_it_is_stopped_has_ended_so(
    queue: Queue, running: int, kind: str
) -> None:
    queue.turn(moves=[move(kind, "x", running, outcome=b"o", key="k")])
    state = queue.state()
    assert (state[kind], state["outcomes"]) == (["x"], {"x": "o"})
    assert "stops" not in state


def test_one_that_is_completed_in_bulk_forgets_that_it_was_to_be_stopped(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.cancel("1")
    queue.turn(done=leases)
    assert "stops" not in queue.state()
