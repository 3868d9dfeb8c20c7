"""enqueue_each.lua: jobs with an id, a time or a deduplication key of their own."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.store.call import StalePolicy, StaleTurn, run_blocking
from pipeline.store.reader import server_time
from pipeline.store.store import Accepted, NewJob
from tests.store.lua.given import HOUR, Queue, move, new


def created(*ids: str) -> list[Accepted]:
    return [Accepted(id, "created") for id in ids]


def duplicate(*ids: str) -> list[Accepted]:
    return [Accepted(id, "duplicate") for id in ids]


def end(queue: Queue, how: str, id: str, lease: int, **more: object) -> None:
    """End an active job as completed or dead, or cancel it: it must wait then."""
    queue.turn(moves=[move(how, id, lease, outcome=b"end", **more)])


def test_a_job_with_its_own_id_waits_and_is_counted(queue: Queue) -> None:
    with queue.changes() as changed:
        assert queue.each(new("a", id="evt_1", level=-3)) == created("evt_1")
    assert changed == {
        "jobs": {"evt_1": "a"},
        "wait:-3": ["evt_1"],
        "levels": ["-3"],
        "stats": {"own": "1"},
        "call:p": '1:["evt_1","created"]',
    }


def test_a_job_without_an_id_gets_the_next_of_the_counter(queue: Queue) -> None:
    queue.enqueue("a")
    assert queue.each(new("b", key="k"), new("c")) == created("2", "3")
    assert queue.state()["last_id"] == "3"


@pytest.mark.parametrize(("due", "ahead"), [("+3600000", HOUR), ("now+1h", HOUR)])
def test_a_delayed_job_is_due_by_the_servers_clock(queue: Queue, due: str, ahead: int) -> None:
    seconds, micros = queue.send("TIME")
    now = int(seconds) * 1_000 + int(micros) // 1_000
    queue.each(new("a", due=str(now + HOUR) if due == "now+1h" else due))
    score = int(queue.send("ZSCORE", f"{queue.name}:delayed", "1"))
    assert 0 <= score - now - ahead < 1_000


def test_the_level_of_a_delayed_job_is_kept_unless_it_is_0(queue: Queue) -> None:
    with queue.changes() as changed:
        queue.each(new("a", due="+9999"), new("b", due="+9999", level=7))
    assert changed == {
        "jobs": {"1": "a", "2": "b"},
        "delayed": ["1", "2"],
        "levelof": {"2": "7"},
        "last_id": "2",
        "call:p": '1:["1","created","2","created"]',
    }


def test_a_time_that_has_passed_is_now(queue: Queue) -> None:
    queue.each(new("a", due="1", level=2))
    assert queue.state()["wait:2"] == ["1"]


def test_an_id_is_a_duplicate_as_long_as_its_job_is_kept(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("a", id="evt_1"))
    assert queue.each(new("b", id="evt_1")) == duplicate("evt_1")
    leases = queue.take()
    assert queue.each(new("b", id="evt_1")) == duplicate("evt_1")
    end(queue, "completed", "evt_1", leases["evt_1"])
    with queue.changes() as changed:
        assert queue.each(new("b", id="evt_1")) == duplicate("evt_1")
    assert changed == {
        "stats": {"own": "1", "completed": "1", "duplicates": "3"},
        "call:p": '4:["evt_1","duplicate"]',
    }


def test_an_id_stays_taken_until_its_time_after_the_end_though_the_job_is_gone(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("a", id="evt_1"))
    leases = queue.take()
    queue.turn(moves=[move("completed", "evt_1", leases["evt_1"], keep=HOUR)], keep=0)
    assert "jobs" not in queue.state()
    assert queue.each(new("b", id="evt_1")) == duplicate("evt_1")
    queue.age("ids", HOUR)
    assert queue.each(new("b", id="evt_1")) == created("evt_1")


def test_the_id_is_looked_at_before_the_key(queue: Queue) -> None:
    queue.each(new("a", id="first"), new("b", key="k"))
    assert queue.each(new("c", id="first", key="k")) == duplicate("first")
    assert queue.each(new("c", id="second", key="k")) == duplicate("1")


def test_a_key_is_held_until_its_job_is_done(queue: Queue) -> None:
    assert queue.each(new("a", key="k")) == created("1")
    assert queue.send("TTL", f"{queue.name}:dedup:k") == -1
    assert queue.each(new("b", key="k"), new("c", key="other")) == [*duplicate("1"), *created("2")]


def test_a_throttled_key_is_held_for_its_window(queue: Queue) -> None:
    queue.each(new("a", key="k", window=60_000))
    assert 55_000 < queue.send("PTTL", f"{queue.name}:dedup:k") <= 60_000
    assert queue.each(new("b", key="k", window=60_000)) == duplicate("1")
    queue.send("PEXPIRE", f"{queue.name}:dedup:k", 0)
    assert queue.each(new("b", key="k", window=60_000)) == created("2")


# --- debounce ------------------------------------------------------------------------------------------


def debounced(record: str, ttl: int = 60_000, **more: Any) -> NewJob:
    return new(record, key="k", due=f"+{ttl}", window=ttl + 60_000, mode="debounce", **more)


def test_a_debounced_job_takes_the_place_of_the_one_that_is_delayed_and_its_time_starts_anew(
    queue: Queue,
) -> None:
    queue.each(debounced("a"))
    queue.age("delayed", 50_000)
    with queue.changes() as changed:
        assert queue.each(debounced("b", level=4)) == [Accepted("1", "replaced")]
    assert changed["jobs"] == {"1": "b"}
    assert changed["levelof"] == {"1": "4"}
    assert changed["stats"] == {"duplicates": "1"}
    (due,) = (
        int(score) for score in queue.send("ZRANGE", f"{queue.name}:delayed", 0, -1, "WITHSCORES")[1::2]
    )
    assert due - run_blocking(queue.connection, server_time()) > 59_000


def test_a_debounced_job_that_comes_when_the_last_one_waits_or_runs_is_a_new_one(queue: Queue) -> None:
    queue.join("w1")
    queue.each(debounced("a"))
    queue.age("delayed", 60_000)
    assert queue.turn(want=1).ids == ["1"]
    assert queue.each(debounced("b")) == created("2")
    assert queue.each(debounced("c")) == [Accepted("2", "replaced")]
    assert queue.state()["jobs"] == {"1": "a", "2": "c"}


def test_a_debounced_job_that_failed_and_is_delayed_keeps_its_payload(queue: Queue) -> None:
    queue.join("w1")
    queue.each(debounced("a", ttl=0))
    leases = queue.take()
    queue.turn(moves=[move("delayed", "1", leases["1"], delay=60_000, runs=b"[1,0,[]]")])
    assert queue.each(debounced("b")) == created("2")
    assert queue.state()["jobs"] == {"1": "a", "2": "b"}


def test_a_replaced_job_that_is_now_the_next_to_come_due_wakes_whoever_sleeps(queue: Queue) -> None:
    queue.each(debounced("a"))
    queue.park("w1")
    queue.each(debounced("b", ttl=5_000))
    assert queue.state()["inbox:w1"] == [""]


def test_a_job_for_the_front_goes_before_those_that_wait(queue: Queue) -> None:
    queue.each(new("a"), new("b"), new("c", due="front"), new("d", due="front", level=2))
    assert (queue.state()["wait:0"], queue.state()["wait:2"]) == (["3", "1", "2"], ["4"])


# --- keys and the ends of their jobs --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["completed", "dead"])
def test_a_key_is_free_once_its_job_has_ended(queue: Queue, how: str) -> None:
    queue.join("w1")
    queue.each(new("a", key="k"))
    end(queue, how, "1", queue.take()["1"], key="k")
    assert queue.each(new("b", key="k")) == created("2")


@pytest.mark.parametrize("how", ["cancel", "remove"])
def test_a_key_is_free_once_its_job_was_withdrawn(queue: Queue, how: str) -> None:
    queue.each(new("a", key="k"))
    getattr(queue, how)("1", key="k")
    assert queue.each(new("b", key="k")) == created("2")


def test_a_key_without_an_end_is_free_when_its_job_was_purged_by_somebody_who_was_gone_then(
    queue: Queue,
) -> None:
    queue.each(new("a", key="k"), new("b", key="w", window=60_000))
    assert len(queue.purge(10)) == 2
    assert queue.each(new("c", key="k"), new("d", key="w", window=60_000)) == [*created("3"), *duplicate("2")]
    assert queue.each(new("e", key="k")) == duplicate("3")


def test_the_end_of_a_job_frees_no_key_that_another_holds(queue: Queue) -> None:
    queue.join("w1")
    queue.each(new("a", key="k", window=60_000))
    leases = queue.take()
    queue.send("PEXPIRE", f"{queue.name}:dedup:k", 0)
    queue.each(new("b", key="k", window=60_000))
    end(queue, "completed", "1", leases["1"], key="k")
    assert queue.state()["dedup:k"] == "2"


def test_the_second_of_two_equal_jobs_in_one_call_is_a_duplicate(queue: Queue) -> None:
    assert queue.each(new("a", id="x"), new("b", id="x")) == [*created("x"), *duplicate("x")]


def test_a_repeated_call_adds_nothing_and_answers_the_same(queue: Queue) -> None:
    jobs = [new("a", id="x"), new("b", key="k"), new("c", due="+9999"), new("d", id="x")]
    first = queue.each(*jobs, call=9)
    with queue.changes() as changed:
        assert queue.each(*jobs, call=9) == first
    assert changed == {}


def test_a_call_repeated_under_a_newer_policy_adds_nothing_and_answers_the_same(queue: Queue) -> None:
    queue.publish(1)
    first = queue.each(new("a", id="x"), new("b", key="k"), call=9, generation="1")
    queue.publish(2)
    with queue.changes() as changed:
        assert queue.each(new("a", id="x"), new("b", key="k"), call=9, generation="1") == first
    assert changed == {}


def test_an_older_call_that_comes_late_is_refused_and_adds_no_job(queue: Queue) -> None:
    queue.each(new("a", id="x"), call=5)
    with queue.changes() as changed, pytest.raises(StaleTurn, match="STALE call 4"):
        queue.each(new("b", id="y"), call=4)
    assert changed == {}


def test_a_call_under_another_generation_is_refused_and_nothing_is_stored(queue: Queue) -> None:
    queue.publish(4)
    with queue.changes() as changed, pytest.raises(StalePolicy, match="POLICY 4"):
        queue.each(new("a", id="x"), generation="")
    assert changed == {}


def test_one_job_goes_straight_to_a_parked_worker(queue: Queue) -> None:
    queue.park("w1")
    queue.each(new("a", id="x", key="k"))
    state = queue.state()
    assert (state["active:w1"], state["inbox:w1"]) == ({"x": f"{queue.lease}"}, [f"{queue.lease} x a"])
    assert "wait:0" not in state


@pytest.mark.parametrize("paused", [True, False])
def test_one_job_waits_and_wakes_where_a_pause_or_a_limit_is_in_force(queue: Queue, paused: bool) -> None:
    queue.park("w1")
    queue.publish(1, limited="" if paused else 10)
    if paused:
        queue.pause()
    queue.turn("w1", 1, park=True)
    queue.each(new("a", id="x"), generation="1")
    assert (queue.state()["wait:0"], queue.state()["inbox:w1"]) == (["x"], [""])


def test_several_jobs_wake_as_many_workers_as_they_can_use(queue: Queue) -> None:
    queue.park("w1", "w2", "w3")
    queue.each(new("a", id="x"), new("b", id="y"))
    assert len(queue.state()["idle"]) == 1


def test_a_delayed_job_wakes_a_worker_only_when_it_is_due_before_all_others(queue: Queue) -> None:
    queue.park("w1")
    queue.each(new("a", due="+60000"))
    assert queue.state()["inbox:w1"] == [""]
    assert queue.turn("w1", 1, park=True).due in range(59_000, 60_001)
    queue.each(new("b", due="+90000"))
    assert queue.state()["idle"] == ["w1"]
    queue.each(new("c", due="+30000"))
    assert queue.state()["inbox:w1"] == [""]


def test_a_thousand_jobs_fit_in_one_call(queue: Queue) -> None:
    answers = queue.each(*(new("r", id=f"x{n}", key=f"k{n}", level=n % 3) for n in range(1_000)))
    assert answers == created(*(f"x{n}" for n in range(1_000)))
    assert len(queue.state()["wait:2"]) == 333
