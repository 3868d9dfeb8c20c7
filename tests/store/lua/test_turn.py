"""turn.lua: settle, reserve or park in one round trip."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import BrokerRefused
from tests.store.lua.given import HOUR, Queue, State, move, new

HELD = "[1,10,20]"


# --- what it reserves ----------------------------------------------------------------------------------


def test_jobs_are_leased_in_their_order_under_one_number(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b", "c")
    with queue.changes() as changed:
        turn = queue.turn("w1", 2)
    assert (turn.ids, turn.records, turn.due, turn.refused) == (["1", "2"], ["a", "b"], None, [])
    lease = str(turn.lease)
    assert changed == {
        "active:w1": {"1": lease, "2": lease},
        "wait:0": ["3"],
        "turns": {"w1": "1"},
        "last_lease": lease,
    }


def test_lease_numbers_follow_the_clock_and_rise(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b", "c")
    first, second = (queue.turn("w1", 1) for _ in range(2))
    assert first.time * 1000 <= first.lease < second.lease
    ahead = second.lease + 10**12
    queue.send("SET", f"{queue.name}:last_lease", ahead)
    assert queue.turn("w1", 1).lease == ahead + 1


def test_no_lease_number_comes_again_when_the_server_is_back_with_an_older_state(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    before = queue.turn("w1", 1).lease
    queue.send("DEL", f"{queue.name}:last_lease")
    queue.until(before // 1000 + 1)
    assert queue.turn("w1", 1).lease > before


def test_the_highest_level_runs_first_and_within_it_the_first_that_came(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b", level=0)
    queue.enqueue("c", level=-5)
    queue.enqueue("d", "e", level=1_000_000)
    queue.enqueue("f", level=3)
    assert queue.turn("w1", 10).records == ["d", "e", "f", "a", "b", "c"]


def test_what_earlier_attempts_left_comes_along(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    leases = queue.take()
    queue.turn(moves=[move("front", "1", leases["1"], runs=b"[1,0,[]]")])
    assert queue.turn("w1", 2).runs == ["[1,0,[]]", None]


def test_a_turn_settles_and_reserves_in_one_call(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b", "c")
    leases = queue.take(want=2)
    with queue.changes() as changed:
        turn = queue.turn("w1", 1, done=leases, kept={"2": HELD}, counters=["run:3", 2])
    assert turn.ids == ["3"]
    assert changed == {
        "jobs": {"2": "b", "3": "c"},
        "outcomes": {"2": HELD},
        "completed": ["2"],
        "active:w1": {"3": str(turn.lease)},
        "wait:0": None,
        "stats": {"completed": "2", "run:3": "2"},
        "turns": {"w1": "2"},
        "last_lease": str(turn.lease),
    }


def test_delayed_jobs_that_are_due_are_promoted_at_their_level(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("now")
    queue.each(new("low", due="+1000"), new("high", due="+1000", level=9), new("later", due="+9000000"))
    queue.age("delayed", 1_000)
    with queue.changes() as changed:
        turn = queue.turn("w1", 2)
    assert turn.records == ["high", "now"]
    assert changed == {
        "delayed": ["4"],
        "levelof": None,
        "wait:0": ["2"],
        "active:w1": dict.fromkeys(("3", "1"), str(turn.lease)),
        "turns": {"w1": "1"},
        "last_lease": str(turn.lease),
    }


def test_delayed_jobs_of_one_millisecond_come_in_the_order_of_their_ids(queue: Queue) -> None:
    queue.join("w1")
    queue.each(*(new("r", due="+1000") for _ in range(12)))
    times = dict.fromkeys(range(1, 13), 7) | {4: 5}
    queue.send("ZADD", f"{queue.name}:delayed", *(part for id, due in times.items() for part in (due, id)))
    assert queue.turn(want=20).ids == ["4", *(str(n) for n in range(1, 13) if n != 4)]


def test_more_delayed_jobs_than_one_turn_promotes_come_with_the_next(queue: Queue) -> None:
    queue.join("w1")
    queue.each(*(new(str(n), due="+1000") for n in range(600)))
    queue.age("delayed", 1_000)
    assert [len(queue.take(want=1_000)) for _ in range(4)] == [250, 250, 100, 0]


def test_those_of_a_level_keep_the_order_of_their_times(queue: Queue) -> None:
    queue.join("w1")
    due = [("c", 300, 0), ("a", 100, 5), ("d", 400, 5), ("b", 200, 0), ("e", 500, -1)]
    queue.each(*(new(name, due=f"+{ms}", level=level) for name, ms, level in due))
    queue.age("delayed", 1_000)
    assert queue.turn("w1", 9).records == ["a", "d", "b", "c", "e"]


# --- parking -------------------------------------------------------------------------------------------


def test_a_worker_parks_when_it_found_nothing(queue: Queue) -> None:
    queue.join("w1")
    with queue.changes() as changed:
        turn = queue.turn("w1", 1, park=True)
    assert (turn.due, turn.ids) == (-1, [])
    assert changed == {"idle": ["w1"], "turns": {"w1": "1"}}


def test_a_worker_does_not_park_when_it_found_something_or_did_not_ask_to(queue: Queue) -> None:
    queue.join("w1")
    assert not queue.turn("w1", 1).parked
    queue.enqueue("a")
    assert not queue.turn("w1", 1, park=True).parked
    assert "idle" not in queue.state()


def test_a_parked_worker_is_told_when_the_next_delayed_job_is_due(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("a", due="+9000"), new("b", due="+5000"))
    assert queue.turn("w1", 1, park=True).due in range(4_000, 5_001)


def test_a_turn_unparks_its_worker_first_and_returns_its_inbox(queue: Queue) -> None:
    queue.park("w1")
    queue.enqueue("a")
    with queue.changes() as changed:
        turn = queue.turn("w1")
    assert (turn.inbox, turn.ids) == ([f"{queue.lease} 1 a"], [])
    assert changed == {"inbox:w1": None, "turns": {"w1": "2"}}
    queue.turn("w1", 1, park=True)
    queue.turn("w1")
    assert "idle" not in queue.state()


def test_a_worker_stands_in_idle_once_however_often_it_parks(queue: Queue) -> None:
    queue.join("w1")
    queue.turn("w1", 1, park=True)
    queue.turn("w1", 1, park=True)
    queue.enqueue("a", "b")
    assert queue.state()["inbox:w1"] == [""]


def test_whoever_leaves_jobs_behind_wakes_the_next_worker(queue: Queue) -> None:
    queue.park("w1", "w2", "w3")
    queue.enqueue("a", "b")
    (parked,) = queue.state()["idle"]
    woken = next(worker for worker in ("w1", "w2", "w3") if worker != parked)
    assert len(queue.take(woken)) == 1
    assert queue.state()[f"inbox:{parked}"] == [""]


# --- the fence -----------------------------------------------------------------------------------------


def test_a_job_under_another_lease_is_refused_counted_and_its_outcome_not_stored(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b", "c")
    leases = queue.take(want=3)
    with queue.changes() as changed:
        turn = queue.turn(done={"1": leases["1"], "2": 77, "3": leases["3"]}, kept={"2": "lie", "3": HELD})
    assert turn.refused == ["2"]
    assert changed == {
        "jobs": {"2": "b", "3": "c"},
        "active:w1": {"2": str(leases["2"])},
        "outcomes": {"3": HELD},
        "completed": ["3"],
        "stats": {"completed": "2", "lost_leases": "1"},
        "turns": {"w1": "2"},
    }


def test_a_job_that_another_worker_holds_is_refused(queue: Queue) -> None:
    queue.join("w1", "w2")
    queue.enqueue("a", "b")
    mine, theirs = queue.take("w1"), queue.take("w2")
    turn = queue.turn("w1", done={**mine, **theirs})
    assert turn.refused == list(theirs)
    assert queue.state()["active:w2"] == {"2": str(theirs["2"])}
    assert queue.stat("lost_leases") == 1


@pytest.mark.parametrize("kind", ["completed", "dead", "delayed", "front", "back", "alone"])
def test_a_move_under_another_lease_is_refused_and_changes_nothing_else(queue: Queue, kind: str) -> None:
    queue.join("w1")
    queue.enqueue("a")
    queue.take()
    with queue.changes() as changed:
        turn = queue.turn(moves=[move(kind, "1", 99, runs=b"r", outcome=b"o", key="k", keep=5, level=1)])
    assert turn.refused == ["1"]
    assert changed == {"stats": {"lost_leases": "1"}, "turns": {"w1": "2"}}


def test_a_turn_of_a_worker_that_was_reclaimed_is_refused_whole_and_counted(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.expel("w1")
    with queue.changes() as changed, pytest.raises(BrokerRefused, match="GONE"):
        queue.turn("w1", 5, done=leases)
    assert changed == {"stats": {"lost_leases": "1"}}


@pytest.mark.parametrize("number", [1, 2])
def test_a_turn_that_was_seen_already_is_refused_whole(queue: Queue, number: int) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    queue.turn("w1", number=1)
    leases = dict.fromkeys(queue.turn("w1", 1, number=2).ids, queue.lease)
    with queue.changes() as changed, pytest.raises(BrokerRefused, match=f"STALE turn {number}"):
        queue.turn("w1", 1, number=number, done=leases)
    assert changed == {}


# --- how jobs leave their lease ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("front", {}, {"wait:0": ["1", "2"], "levels": ["0"]}),
        ("back", {}, {"wait:0": ["2", "1"], "levels": ["0"]}),
        ("back", {"level": 4}, {"wait:4": ["1"], "wait:0": ["2"], "levels": ["4", "0"]}),
        ("delayed", {"delay": 9_000}, {"delayed": ["1"]}),
        ("delayed", {"delay": 9_000, "level": 4}, {"delayed": ["1"], "levelof": {"1": "4"}}),
        ("alone", {}, {"alone": ["1"]}),
        ("unused", {}, {"wait:0": ["1", "2"], "levels": ["0"]}),
        (
            "cancelled",
            {"outcome": b"o"},
            {"cancelled": ["1"], "outcomes": {"1": "o"}, "stats": {"cancelled": "1"}},
        ),
        ("dead", {"outcome": b"o"}, {"dead": ["1"], "outcomes": {"1": "o"}, "stats": {"dead": "1"}}),
        (
            "completed",
            {"outcome": b"o", "keep": HOUR},
            {"completed": ["1"], "outcomes": {"1": "o"}, "ids": ["1"], "stats": {"completed": "1"}},
        ),
    ],
)
def test_a_move_puts_its_job_in_one_place(
    queue: Queue, kind: str, more: dict[str, Any], expected: State
) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    leases = queue.take()
    with queue.changes() as changed:
        queue.turn(moves=[move(kind, "1", leases["1"], runs=b"[1,0,[]]", **more)])
    always = {"active:w1": None, "runs": {"1": "[1,0,[]]"}, "turns": {"w1": "2"}}
    unchanged = {"wait:0": ["2"], "levels": ["0"]}
    assert changed == always | {k: v for k, v in expected.items() if unchanged.get(k) != v}


def test_jobs_given_back_in_reverse_stand_at_the_front_in_their_order(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b", "c")
    leases = queue.take(want=2)
    queue.turn(moves=[move("front", id, leases[id]) for id in ("2", "1")])
    assert queue.state()["wait:0"] == ["1", "2", "3"]


@pytest.mark.parametrize("kind", ["front", "back"])
def test_jobs_given_back_wake_a_parked_worker(queue: Queue, kind: str) -> None:
    queue.park("w2")
    queue.enqueue("a")
    queue.turn("w2")
    queue.park("w3")
    queue.turn("w2", moves=[move(kind, "1", queue.lease)])
    assert queue.state()["inbox:w3"] == [""]


def test_a_lonely_job_that_goes_back_wakes_a_parked_worker(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    queue.turn(moves=[move("alone", "1", queue.take()["1"])])
    lease = queue.take(source="alone")["1"]
    queue.park("w2")
    queue.turn(source="alone", moves=[move("back", "1", lease)])
    assert queue.state()["inbox:w2"] == [""]


# --- what is kept --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "kept"), [(0, 0), (3, 3), (100, 5), (-1, 5)])
def test_of_completed_jobs_the_newest_are_kept(queue: Queue, keep: int, kept: int) -> None:
    queue.join("w1")
    queue.enqueue(*"abcde")
    for id, lease in queue.take(want=5).items():
        queue.turn(done={id: lease}, kept={id: HELD} if keep else {}, keep=keep)
    state = queue.state()
    newest = [str(n) for n in range(5, 5 - kept, -1)]
    assert state.get("completed", []) == newest
    assert set(state.get("jobs", [])) == set(state.get("outcomes", [])) == set(newest)
    assert queue.stat("completed") == 5


def test_what_is_not_kept_leaves_nothing_behind(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    leases = queue.take(want=2)
    for id in leases:
        queue.send("HSET", f"{queue.name}:runs", id, "[1,0,[]]")
        assert note(queue, id, leases[id], progress=b"50") == 1
        assert note(queue, id, leases[id], line="charged") == 1
    queue.turn(done={"1": leases["1"]}, moves=[move("completed", "2", leases["2"], outcome=b"o")], keep=0)
    assert queue.state() == {
        "last_id": "2",
        "last_lease": str(leases["1"]),
        "call:p": "1:1",
        "levels": ["0"],
        "turns": {"w1": "2"},
        "workers": ["w1"],
        "stats": {"completed": "2"},
    }


def note(
    queue: Queue, id: str, lease: int, *, progress: bytes = b"", line: str = "", worker: str = "w1"
) -> int:
    command, read = queue.store.note(worker, id, lease, progress, line)
    return int(read(queue.connection.call(command)))


def test_progress_and_the_last_100_lines_stand_with_a_running_job(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    lease = queue.take()["1"]
    with queue.changes() as changed:
        for n in range(120):
            note(queue, "1", lease, line=f"line {n}")
        note(queue, "1", lease, progress=b"50")
    assert changed == {"logs:1": [f"line {n}" for n in range(20, 120)], "notes": {"1": "50"}}


@pytest.mark.parametrize(("worker", "off"), [("w1", 1), ("w2", 0)])
def test_a_note_of_one_that_lost_the_lease_is_not_kept_but_counted(
    queue: Queue, worker: str, off: int
) -> None:
    queue.join("w1", "w2")
    queue.enqueue("a")
    lease = queue.take()["1"] - off
    with queue.changes() as changed:
        assert note(queue, "1", lease, line="late", worker=worker) == 0
        assert note(queue, "1", lease, progress=b"1", worker=worker) == 0
    assert changed == {"stats": {"lost_leases": "2"}}


# --- stale entries -------------------------------------------------------------------------------------


def test_the_entry_of_a_withdrawn_job_is_skipped_and_its_mark_goes(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b", "c")
    queue.cancel("1")
    queue.remove("2")
    assert queue.state()["stale"] == {"0:1": "1", "0:2": "1"}
    assert queue.turn("w1", 1).records == ["c"]
    assert "stale" not in queue.state()


def test_a_job_cancelled_and_redriven_twice_runs_once_and_in_its_last_place(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    for _ in range(2):
        queue.cancel("1")
        queue.redrive("1")
    assert queue.state()["wait:0"] == ["1", "2", "1", "1"]
    assert queue.turn("w1", 10).records == ["b", "a"]
    assert "stale" not in queue.state()


def test_a_mark_holds_for_its_level_only(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", level=3)
    queue.cancel("1", level=3)
    queue.redrive("1", level=0)
    queue.enqueue("b", level=3)
    assert queue.turn("w1", 10).records == ["b", "a"]


def test_completed_jobs_free_what_they_hold_all_at_once(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("a", key="k"), new("b", id="x"), new("c", id="y", key="l"))
    leases = queue.take(want=3)
    queue.turn(done=leases, keep=0, unlocks=["1", "k", "", "x", "", HOUR, "y", "l", HOUR])
    state = queue.state()
    assert state["ids"] == ["x", "y"]
    assert {"dedup:k", "dedup:l"} & state.keys() == set()


def test_a_key_that_another_job_holds_by_now_stays(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("a", key="k"))
    leases = queue.take()
    queue.send("SET", f"{queue.name}:dedup:k", "9")
    queue.turn(done=leases, keep=0, unlocks=["1", "k", ""])
    assert queue.state()["dedup:k"] == "9"


def test_a_job_that_was_reclaimed_frees_nothing(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("a", id="x", key="k"), new("b", key="l"))
    leases = queue.take(want=2)
    turn = queue.turn(done={**leases, "x": 1}, keep=0, unlocks=["x", "k", HOUR, "1", "l", ""])
    assert turn.refused == ["x"]
    state = queue.state()
    assert state["dedup:k"] == "x"
    assert {"dedup:l", "ids"} & state.keys() == set()
