"""enqueue.lua: jobs that are alike."""

from __future__ import annotations

import pytest

from pipeline.store.call import StalePolicy, StaleTurn
from tests.store.lua.given import Queue


def test_one_job_waits_at_its_level(queue: Queue) -> None:
    with queue.changes() as changed:
        assert queue.enqueue("a", level=5) == 1
    assert changed == {"jobs": {"1": "a"}, "wait:5": ["1"], "levels": ["5"], "last_id": "1", "call:p": "1:1"}


def test_many_jobs_get_ids_in_their_order_and_wait_behind_those_before_them(queue: Queue) -> None:
    queue.enqueue("a")
    with queue.changes() as changed:
        assert queue.enqueue("b", "c") == 2
    assert changed == {
        "jobs": {"1": "a", "2": "b", "3": "c"},
        "wait:0": ["1", "2", "3"],
        "last_id": "3",
        "call:p": "2:2",
    }


def test_one_job_goes_straight_to_a_parked_worker_whose_lease_holds(queue: Queue) -> None:
    queue.park("w1")
    with queue.changes() as changed:
        queue.enqueue("a b")
    lease = queue.state()["last_lease"]
    assert changed == {
        "jobs": {"1": "a b"},
        "active:w1": {"1": lease},
        "inbox:w1": [f"{lease} 1 a b"],
        "idle": None,
        "last_id": "1",
        "last_lease": lease,
        "call:p": "1:1",
    }


def test_a_worker_whose_lease_has_ended_gets_no_job_and_is_only_woken(queue: Queue) -> None:
    queue.park("w1")
    queue.age("workers", 2 * 3_600_000)
    queue.enqueue("a")
    state = queue.state()
    assert (state["wait:0"], state["inbox:w1"]) == (["1"], [""])
    assert "active:w1" not in state
    assert "idle" not in state


def test_a_hand_over_passes_by_workers_whose_lease_has_ended(queue: Queue) -> None:
    for job in range(1, 9):  # whom the server picks first is chance
        queue.send("DEL", f"{queue.name}:idle")
        queue.park(*(f"old{job}{n}" for n in range(5)))
        queue.age("workers", 2 * 3_600_000)
        queue.park(f"w{job}")
        queue.enqueue("a")
        assert list(queue.state()[f"active:w{job}"]) == [str(job)]
    assert "wait:0" not in queue.state()


def test_nothing_is_handed_over_while_others_wait(queue: Queue) -> None:
    queue.park("w1", "w2", "w3")
    queue.enqueue("a", "b")
    queue.enqueue("c")
    state = queue.state()
    assert state["wait:0"] == ["1", "2", "3"]
    assert [state[f"inbox:w{n}"] for n in (1, 2, 3)] == [[""], [""], [""]]


@pytest.mark.parametrize("force", ["paused", "limited"])
def test_nothing_is_handed_over_where_a_pause_or_a_limit_is_in_force(queue: Queue, force: str) -> None:
    queue.park("w1")
    queue.publish(1, limited="" if force == "paused" else 10)
    if force == "paused":
        queue.pause()
    queue.turn("w1", 1, park=True)
    queue.enqueue("a", generation="1")
    state = queue.state()
    assert (state["wait:0"], state["inbox:w1"]) == (["1"], [""])


def test_many_jobs_wake_as_many_parked_workers_as_they_can_use(queue: Queue) -> None:
    queue.park("w1", "w2", "w3", "w4")
    queue.enqueue("a", "b")
    state = queue.state()
    assert len(state["idle"]) == 2
    assert [state[name] for name in state if name.startswith("inbox:")] == [[""], [""]]


@pytest.mark.parametrize("records", [["a"], ["a", "b", "c"]])
def test_a_repeated_call_adds_nothing_and_answers_the_same(queue: Queue, records: list[str]) -> None:
    queue.enqueue("before")
    assert queue.enqueue(*records, call=9) == 2
    before = queue.state()
    assert queue.enqueue(*records, call=9) == 2
    after = queue.state()
    assert after.pop("stats") == {"gaps": str(len(records))}
    assert after.pop("last_id") == str(1 + 2 * len(records))
    assert after == {name: value for name, value in before.items() if name != "last_id"}


def test_a_repeated_call_is_not_handed_over_a_second_time(queue: Queue) -> None:
    queue.park("w1", "w2")
    queue.enqueue("a", call=9)
    with queue.changes() as changed:
        queue.enqueue("a", call=9)
    assert changed == {"last_id": "2", "stats": {"gaps": "1"}}


def test_a_call_is_remembered_for_a_minute_of_its_producer_only(queue: Queue) -> None:
    queue.enqueue("a", call=1)
    assert 55 <= queue.send("TTL", f"{queue.name}:call:p") <= 60
    queue.enqueue("b", call=2)
    assert queue.enqueue("b", call=2) == 2
    assert queue.send("KEYS", "*:call:*") == [f"{queue.name}:call:p"]


def test_a_call_repeated_under_a_newer_policy_adds_nothing_and_answers_the_same(queue: Queue) -> None:
    queue.publish(1)
    assert queue.enqueue("a", "b", call=9, generation="1") == 1
    queue.publish(2)
    with queue.changes() as changed:
        assert queue.enqueue("a", "b", call=9, generation="1") == 1
    assert changed == {}
    with pytest.raises(StalePolicy):
        queue.enqueue("c", call=10, generation="1")


def test_an_older_call_that_comes_late_is_refused_and_adds_no_job(queue: Queue) -> None:
    queue.enqueue("a", call=5)
    with queue.changes() as changed, pytest.raises(StaleTurn, match="STALE call 4"):
        queue.enqueue("b", call=4)
    assert changed == {"last_id": "2", "stats": {"gaps": "1"}}
    assert queue.enqueue("a", call=5) == 1


def test_a_call_under_another_generation_is_refused_and_nothing_is_stored(queue: Queue) -> None:
    queue.publish(4)
    with queue.changes() as changed, pytest.raises(StalePolicy, match="POLICY 4"):
        queue.enqueue("a", generation="3")
    assert changed == {}
    queue.enqueue("a", generation="4")


def test_a_thousand_jobs_fit_in_one_call_and_in_one_turn(queue: Queue) -> None:
    queue.join("w1")
    assert queue.enqueue(*(str(n) for n in range(1_000))) == 1
    leases = queue.take(want=1_000)
    assert list(leases) == [str(n) for n in range(1, 1_001)]
    queue.turn(done=leases, kept=dict.fromkeys(leases, "[1,2,3]"), keep=10_000)
    assert len(queue.state()["completed"]) == 1_000
    queue.enqueue(*(str(n) for n in range(1_000)))
    leases = queue.take(want=1_000)
    queue.turn(done=leases, keep=0)
    assert queue.stat("completed") == 2_000
