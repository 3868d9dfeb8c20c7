"""sweep.lua: what is kept too long or too many goes; and counts.lua, which says what is there."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.store.call import run_blocking
from pipeline.store.reader import Counts, Reader
from tests.store.lua.given import HOUR, Queue, move, new

NO_BOUND: dict[str, Any] = {
    "completed_count": "",
    "expired": 0,
    "oldest": "",
    "dead_count": "",
    "dead_age": "",
    "cancelled_age": "",
}
ALL = ["1", "2", "3", "4"]


def sweep(queue: Queue, **bounds: int | str) -> int:
    return run_blocking(queue.connection, queue.store.sweep(**(NO_BOUND | bounds)))


def counts(queue: Queue) -> Counts:
    return run_blocking(queue.connection, Reader("shop", "emails").counts())


def four(queue: Queue, state: str) -> None:
    """The jobs 1 to 4 ended in this order, each with runs and a log."""
    queue.join("w1")
    for _ in range(4):
        id = str(queue.enqueue("r"))
        if state == "cancelled":
            queue.cancel(id)
            continue
        lease = queue.take()[id]
        run_blocking(queue.connection, queue.store.note("w1", id, lease, b"", "a line"))
        queue.turn(moves=[move(state, id, lease, runs=b"[1,0,[]]", outcome=b"o")])


@pytest.mark.parametrize("state", ["completed", "dead", "cancelled"])
def test_without_bounds_everything_stays(queue: Queue, state: str) -> None:
    four(queue, state)
    with queue.changes() as changed:
        assert sweep(queue) == 0
    assert changed == {}


@pytest.mark.parametrize(
    ("state", "bounds", "left"),
    [
        ("completed", {"completed_count": 3}, ["4", "3", "2"]),
        ("completed", {"completed_count": 0}, None),
        ("completed", {"completed_count": 9}, ["4", "3", "2", "1"]),
        ("completed", {"expired": 2, "oldest": "1"}, ["4", "3"]),
        ("completed", {"expired": 2, "oldest": "1", "completed_count": 1}, ["4"]),
        ("completed", {"expired": 2, "oldest": "trimmed meanwhile"}, ["4", "3", "2", "1"]),
        ("dead", {"dead_count": 3}, ["2", "3", "4"]),
        ("dead", {"dead_count": 0}, None),
        ("dead", {"dead_age": HOUR}, ALL),
        ("cancelled", {"completed_count": 1}, ["4"]),
        ("cancelled", {"cancelled_age": HOUR}, ALL),
    ],
)
def test_the_oldest_beyond_a_bound_go_and_leave_nothing(
    queue: Queue, state: str, bounds: dict[str, int | str], left: list[str] | None
) -> None:
    four(queue, state)
    went = 4 - len(left or [])
    assert sweep(queue, **bounds) == went
    after = queue.state()
    assert after.get(state) == left
    kept = set(left or [])
    assert set(after.get("jobs", [])) == set(after.get("outcomes", [])) == kept
    if state != "cancelled":
        assert set(after.get("runs", [])) == set(after.get("notes", [])) == kept
        assert {name for name in after if name.startswith("logs:")} == {f"logs:{id}" for id in kept}


@pytest.mark.parametrize(("state", "age"), [("dead", "dead_age"), ("cancelled", "cancelled_age")])
def test_what_is_past_its_age_goes(queue: Queue, state: str, age: str) -> None:
    four(queue, state)
    queue.age(state, 2 * HOUR)
    fresh = str(queue.enqueue("r"))
    if state == "dead":
        queue.turn(moves=[move("dead", fresh, queue.take()[fresh], outcome=b"o")])
    else:
        queue.cancel(fresh)
    assert sweep(queue, **{age: HOUR}) == 4
    assert queue.state()[state] == [fresh]


def test_ids_are_forgotten_at_their_time(queue: Queue) -> None:
    queue.each(new("a", id="x"), new("b", id="y"))
    queue.cancel("x", keep=1_000)
    queue.cancel("y", keep=HOUR)
    queue.age("ids", 1_000)
    with queue.changes() as changed:
        assert sweep(queue) == 1
    assert changed == {"ids": ["y"]}


def test_one_call_trims_500_of_a_kind(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue(*("r" for _ in range(600)))
    leases = queue.take(want=600)
    queue.turn(moves=[move("dead", id, lease, outcome=b"o") for id, lease in leases.items()])
    assert [sweep(queue, dead_count=0) for _ in range(3)] == [500, 100, 0]


# --- counts --------------------------------------------------------------------------------------------

RECORD = '[1000,"send",null]'


def test_stale_entries_are_not_waiting(queue: Queue) -> None:
    queue.enqueue(RECORD, RECORD, RECORD, level=2)
    queue.cancel("2", level=2)
    queue.remove("3", level=2)
    found = counts(queue)
    assert (found.waiting, found.cancelled, found.stats["purged"]) == (1, 1, 1)
    queue.redrive("2", level=2)
    assert counts(queue).waiting == 2


def test_jobs_that_wait_to_run_alone_are_waiting(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue(RECORD)
    queue.turn(moves=[move("alone", "1", queue.take()["1"])])
    assert counts(queue).waiting == 1


def test_parked_workers_and_held_jobs_are_counted(queue: Queue) -> None:
    queue.park("w1", "w2")
    queue.enqueue(RECORD)
    found = counts(queue)
    assert (found.workers, found.parked, found.active, found.waiting) == (2, 1, 1, 0)
    assert found.oldest_at is None


def test_the_oldest_is_the_first_of_the_highest_level(queue: Queue) -> None:
    queue.enqueue('[5000,"send",null]', level=1)
    queue.enqueue('[1000,"send",null]')
    assert counts(queue).oldest_at == 5000


def test_at_rest_what_came_in_equals_what_ended(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue(*(RECORD for _ in range(10)), call=0)
    queue.enqueue(*(RECORD for _ in range(10)), call=0)
    queue.each(new(RECORD, id="x"), new(RECORD, key="k"), new(RECORD, id="x"), new(RECORD, due="+9999"))
    leases = queue.take(want=4)
    queue.turn(
        done={"1": leases["1"]},
        moves=[
            move("dead", "2", leases["2"], outcome=b"o"),
            move("dead", "3", leases["3"], outcome=b"o"),
            move("delayed", "4", leases["4"]),
        ],
    )
    queue.redrive("2")
    queue.cancel("5")
    queue.cancel("6")
    queue.redrive("6")
    queue.remove("7")
    queue.remove("3")
    queue.hasten("22")
    queue.purge(2)
    while leases := queue.take(want=3):
        queue.turn(done=leases)
    found, stats = counts(queue), counts(queue).stats
    assert (found.waiting, found.active, found.delayed) == (0, 0, 0)
    assert (found.enqueued, stats["redriven"], stats["duplicates"]) == (13, 2, 1)
    ended = sum(stats[name] for name in ("completed", "dead", "cancelled", "purged"))
    assert found.enqueued + stats["redriven"] == ended
