"""join, renew, hold, expel, reclaim and leave: a worker's lease, and what becomes of its jobs without it."""

from __future__ import annotations

import pytest

from pipeline.errors import LeaseLost
from pipeline.store.call import run_blocking
from tests.store.lua.given import HOUR, Queue, move


@pytest.fixture
def lease(queue: Queue) -> int:
    """w1 holds the jobs 1 and 2 under this number; 3 waits."""
    queue.join("w1")
    queue.enqueue("a", "b", "c")
    return queue.take(want=2)["1"]


def renew(queue: Queue, *workers: str) -> list[str | None]:
    return run_blocking(queue.connection, queue.store.renew(HOUR, list(workers)))


def test_a_worker_that_joins_is_known_with_its_lease(queue: Queue) -> None:
    with queue.changes() as changed:
        queue.join("w1")
    assert changed == {"workers": ["w1"], "turns": {"w1": "0"}}


def test_a_worker_that_joins_again_after_a_lost_answer_keeps_the_number_of_its_turn(queue: Queue) -> None:
    queue.join("w1")
    queue.turn(number=7)
    queue.join("w1")
    assert queue.state()["turns"] == {"w1": "7"}


def test_a_renewed_lease_holds_anew_and_those_reclaimed_are_named(queue: Queue) -> None:
    queue.join("w1", "w2", lease=1_000)
    queue.expel("w2")
    queue.leave("w2")
    assert renew(queue, "w1", "w2", "never") == ["w2", "never"]
    assert queue.state()["workers"] == ["w1"]
    queue.age("workers", HOUR - 10_000)
    assert queue.expel("w1", "lapsed") is None


# --- hold: after a lost answer -------------------------------------------------------------------------


def test_a_worker_that_lost_an_answer_is_told_what_it_holds(queue: Queue, lease: int) -> None:
    queue.turn(moves=[move("front", "1", lease, runs=b"[1,0,[]]")])
    again = queue.take()["1"]
    held = queue.held()
    assert sorted(held) == [
        (b"1", str(again).encode(), b"a", b"[1,0,[]]"),
        (b"2", str(lease).encode(), b"b", None),
    ]


def test_after_a_hold_the_worker_is_not_parked_and_its_inbox_is_empty(queue: Queue) -> None:
    queue.park("w1")
    queue.enqueue("a")
    queue.turn("w1", number=20)
    queue.turn("w1", 1, park=True, number=21)
    queue.enqueue("b")
    with queue.changes() as changed:
        held = run_blocking(queue.connection, queue.store.hold("w1", 22))[1]
    assert {job.id for job in held} == {b"1", b"2"}
    assert changed == {"inbox:w1": None, "turns": {"w1": "22"}}


def test_a_hold_that_comes_late_is_refused_and_takes_nothing_out_of_the_inbox(queue: Queue) -> None:
    queue.park("w1")
    queue.turn("w1", 1, park=True, number=60)
    queue.enqueue("a")
    with queue.changes() as changed, pytest.raises(Exception, match="STALE turn 59"):
        run_blocking(queue.connection, queue.store.hold("w1", 59))
    assert changed == {}


def test_a_turn_sent_before_the_hold_is_refused_after_it(queue: Queue, lease: int) -> None:
    run_blocking(queue.connection, queue.store.hold("w1", 50))
    with pytest.raises(Exception, match="STALE turn 49"):
        queue.turn("w1", number=49, done={"1": lease})
    assert queue.turn("w1", number=51, done={"1": lease}).refused == []


def test_a_worker_that_was_reclaimed_holds_nothing(queue: Queue, lease: int) -> None:
    queue.expel("w1")
    with queue.changes() as changed, pytest.raises(LeaseLost):
        queue.held("w1")
    assert changed == {}


# --- expel: what a worker holds, so that it can be taken back ------------------------------------------


def test_a_lapsed_worker_is_expelled_only_when_its_lease_has_ended(queue: Queue, lease: int) -> None:
    with queue.changes() as changed:
        assert queue.expel("w1", "lapsed") is None
    assert changed == {}
    queue.age("workers", 2 * HOUR)
    assert {job.id for job in queue.expel("w1", "lapsed") or []} == {b"1", b"2"}


def test_a_dead_worker_is_expelled_at_once_and_its_turns_are_refused(queue: Queue, lease: int) -> None:
    with queue.changes() as changed:
        held = queue.expel("w1", "dead")
    assert {job.id for job in held or []} == {b"1", b"2"}
    assert changed == {"turns": None}


def test_one_that_stands_still_keeps_its_turns_but_is_not_parked(queue: Queue) -> None:
    queue.park("w1")
    queue.enqueue("a")
    queue.turn("w1")
    queue.turn("w1", 1, park=True)
    with queue.changes() as changed:
        held = queue.expel("w1", "still")
    assert [job.id for job in held or []] == [b"1"]
    assert changed == {"idle": None}


def test_an_expelled_worker_leaves_idle_with_its_inbox(queue: Queue) -> None:
    queue.park("w1")
    queue.enqueue("a")
    with queue.changes() as changed:
        held = queue.expel("w1")
    assert [job.id for job in held or []] == [b"1"]
    assert changed == {"inbox:w1": None, "turns": None}
    queue.enqueue("b")
    assert queue.state()["wait:0"] == ["2"]


def test_the_wake_up_in_an_expelled_workers_inbox_goes_to_another(queue: Queue) -> None:
    queue.park("w1", "w2", "w3")
    queue.enqueue("a", "b")
    (parked,) = queue.state()["idle"]
    queue.expel(next(worker for worker in ("w1", "w2", "w3") if worker != parked))
    assert queue.state()[f"inbox:{parked}"] == [""]


def test_nobody_is_expelled_who_is_not_there(queue: Queue) -> None:
    assert queue.expel("never") is None


# --- reclaim -------------------------------------------------------------------------------------------


def test_a_reclaim_moves_jobs_and_wakes_whoever_can_take_them(queue: Queue, lease: int) -> None:
    queue.turn("w1", done={}, want=1)
    queue.park("w2", "w3", "w4")
    queue.expel("w1")
    with queue.changes() as changed:
        moved = queue.reclaim("w1", move("front", "2", lease), move("front", "1", lease), reruns=1)
    assert moved == 2
    assert len(changed.pop("idle")) == 1
    assert [changed.pop(name) for name in list(changed) if name.startswith("inbox:")] == [[""], [""]]
    assert changed == {
        "active:w1": {"3": str(queue.lease)},
        "wait:0": ["1", "2"],
        "levels": ["0"],
        "stats": {"reruns": "1"},
    }


def test_two_supervisors_reclaim_at_once_and_each_job_moves_once(queue: Queue, lease: int) -> None:
    moves = [move("front", "2", lease), move("dead", "1", lease, outcome=b"crashed")]
    first, second = queue.expel("w1"), queue.expel("w1")
    assert first is not None
    assert second is not None
    assert sorted(first) == sorted(second)
    assert queue.reclaim("w1", *moves) == 2
    with queue.changes() as changed:
        assert queue.reclaim("w1", *moves) == 0
    assert changed == {}


def test_a_reclaim_of_a_job_that_has_ended_meanwhile_changes_nothing(queue: Queue, lease: int) -> None:
    queue.expel("w1", "still")
    queue.turn(done={"1": lease})
    with queue.changes() as changed:
        assert queue.reclaim("w1", move("front", "1", lease), reruns=1) == 0
    assert changed == {}


def test_a_job_reclaimed_and_leased_anew_is_fenced_from_the_old_reclaim(queue: Queue, lease: int) -> None:
    queue.expel("w1", "still")
    queue.reclaim("w1", move("front", "1", lease))
    again = queue.take("w1")
    assert list(again) == ["1"]
    assert queue.reclaim("w1", move("front", "1", lease)) == 0
    assert queue.state()["active:w1"]["1"] == str(again["1"])


def test_no_more_reruns_are_counted_than_jobs_were_moved(queue: Queue, lease: int) -> None:
    queue.turn(done={"2": lease})
    queue.expel("w1")
    queue.reclaim("w1", move("front", "1", lease), move("front", "2", lease), reruns=2)
    assert queue.stat("reruns") == 1


def test_attempts_that_passed_their_limit_are_counted_as_failed(queue: Queue, lease: int) -> None:
    queue.expel("w1")
    queue.reclaim("w1", move("back", "1", lease, runs=b"[1,0,[]]"), move("front", "2", lease), failed=1)
    assert (queue.stat("failed"), queue.stat("reruns")) == (1, 0)


def test_a_thousand_jobs_are_reclaimed_in_one_call(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue(*("r" for _ in range(1_000)))
    lease = next(iter(queue.take(want=1_000).values()))
    held = queue.expel("w1") or []
    assert queue.reclaim("w1", *(move("front", job.id.decode(), lease) for job in held)) == 1_000
    assert len(queue.state()["wait:0"]) == 1_000


# --- leave ---------------------------------------------------------------------------------------------


def test_a_worker_that_holds_jobs_cannot_leave(queue: Queue, lease: int) -> None:
    with queue.changes() as changed:
        assert queue.leave("w1") == 0
    assert changed == {}


def test_a_worker_that_leaves_leaves_nothing(queue: Queue) -> None:
    queue.park("w1")
    assert queue.leave("w1") == 1
    assert queue.leave("w1") == 1
    # The pad of the outcomes is the queue's.
    assert queue.state() == {}


def test_a_worker_that_leaves_work_behind_wakes_the_next(queue: Queue) -> None:
    queue.park("w1", "w2", "w3")
    queue.enqueue("a", "b")
    (parked,) = queue.state()["idle"]
    for worker in {"w1", "w2", "w3"} - {parked}:
        assert queue.leave(worker) == 1
    state = queue.state()
    assert state[f"inbox:{parked}"] == [""]
    assert state["workers"] == [parked]


# --- a clock that went back ----------------------------------------------------------------------------


def test_leases_beyond_the_time_of_one_are_cut_and_others_are_left_alone(queue: Queue) -> None:
    queue.join("w1", "w2")
    now = int(queue.send("TIME")[0]) * 1000
    queue.send("ZADD", f"{queue.name}:workers", now + 3_600_000, "w1", now + 5_000, "w2")
    assert run_blocking(queue.connection, queue.store.amend(15_000)) == 1
    ends = {worker: float(queue.send("ZSCORE", f"{queue.name}:workers", worker)) for worker in ("w1", "w2")}
    assert now + 14_000 < ends["w1"] < now + 17_000
    assert ends["w2"] == now + 5_000
