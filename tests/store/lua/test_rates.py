"""How many jobs may start within a time, and queues that a handler puts on hold."""

from __future__ import annotations

import pytest

from pipeline.store.call import run_blocking
from tests.store.lua.given import Queue, move, new


@pytest.fixture
def limited(queue: Queue) -> Queue:
    """Six jobs, of which 4 may start within a minute."""
    queue.join("w1", "w2")
    queue.enqueue(*"abcdef")
    queue.publish(1, rate="4 60000")
    return queue


def test_a_rate_holds_over_all_workers(limited: Queue) -> None:
    first = limited.take("w1", 3)
    assert len(limited.take("w2", 3)) == 1
    assert limited.turn("w1", 3, done=first).ids == []


def test_a_parked_worker_knows_when_the_window_opens(limited: Queue) -> None:
    limited.take("w1", 4)
    turn = limited.turn("w2", 3, park=True)
    assert turn.due is not None
    assert 59_000 < turn.due <= 60_000


def test_a_delayed_job_that_is_due_before_the_window_opens_wakes_first(limited: Queue) -> None:
    limited.take("w1", 4)
    limited.each(new("later", due="+100"), generation="1")
    due = limited.turn("w2", 3, park=True).due
    assert due is not None
    assert due <= 100


def test_whoever_uses_a_window_up_wakes_a_worker_to_wait_for_the_next(limited: Queue) -> None:
    limited.join("w3")
    limited.send("SADD", f"{limited.name}:idle", "w3")
    limited.take("w1", 4)
    assert limited.state()["inbox:w3"] == [""]


def test_starts_count_for_as_long_as_the_window(limited: Queue) -> None:
    limited.take("w1", 4)
    limited.age("starts", 59_000)
    assert limited.take("w2", 3) == {}
    limited.age("starts", 1_000)
    assert len(limited.take("w2", 3)) == 2


def test_each_start_ends_its_own_time(limited: Queue) -> None:
    limited.take("w1", 1)
    limited.age("starts", 30_000)
    limited.take("w1", 3)
    limited.age("starts", 30_000)
    assert len(limited.take("w2", 3)) == 1


def test_what_did_not_start_gives_its_place_back(limited: Queue) -> None:
    leases = limited.take("w1", 4)
    back = [move("unused", id, lease) for id, lease in list(leases.items())[:2]]
    limited.turn("w1", moves=[*back, move("front", "3", leases["3"])])
    assert len(limited.take("w2", 6)) == 2


def test_a_reservation_of_which_nothing_started_is_forgotten(limited: Queue) -> None:
    leases = limited.take("w1", 2)
    limited.turn("w1", moves=[move("unused", id, lease) for id, lease in leases.items()])
    limited.age("starts", 60_000)
    assert len(limited.take("w2", 6)) == 4


def test_starts_of_a_clock_that_went_back_do_not_count(limited: Queue) -> None:
    limited.take("w1", 4)
    limited.age("starts", -3_600_000)
    assert len(limited.take("w2", 6)) == 2


def test_the_window_leaves_no_key_behind(limited: Queue) -> None:
    limited.take("w1", 4)
    for key in ("starts", "started"):
        assert 0 < limited.send("PTTL", f"{limited.name}:{key}") <= 60_000


def test_a_job_under_a_rate_is_not_handed_over(queue: Queue) -> None:
    queue.publish(1, rate="1 60000")
    queue.park("w1", "w2")
    queue.enqueue("a", generation="1")
    queue.each(new("b", id="x"), generation="1")
    state = queue.state()
    assert (state["inbox:w1"], state["inbox:w2"]) == ([""], [""])


def test_a_raised_rate_wakes_workers(limited: Queue) -> None:
    limited.take("w1", 4)
    limited.turn("w2", 1, park=True)
    limited.publish(2, rate="5 60000")
    assert limited.state()["inbox:w2"] == [""]
    assert len(limited.take("w2", 5)) == 1


def test_a_job_on_hold_stops_the_queue_and_waits_at_the_front(queue: Queue) -> None:
    queue.join("w1", "w2")
    queue.enqueue("a", "b")
    leases = queue.take()
    turn = queue.turn(want=1, park=True, moves=[move("hold", "1", leases["1"], delay=60_000)])
    assert turn.due is not None
    assert 59_000 < turn.due <= 60_000
    assert queue.take("w2") == {}
    assert queue.state()["wait:0"] == ["1", "2"]


def test_a_queue_on_hold_goes_on_by_itself(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.turn(moves=[move("hold", "1", leases["1"], delay=0)])
    assert list(queue.take()) == ["1"]
    assert "meta" not in queue.state()


def test_the_longer_hold_counts(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    leases = queue.take(want=2)
    longer, shorter = (move("hold", id, leases[id], delay=ms) for id, ms in (("1", 60_000), ("2", 10)))
    turn = queue.turn(want=1, park=True, moves=[longer, shorter])
    assert turn.due is not None
    assert turn.due > 59_000


def test_a_person_lets_a_queue_on_hold_go_on(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.turn(want=1, park=True, moves=[move("hold", "1", leases["1"], delay=60_000)])
    queue.resume()
    assert queue.state()["inbox:w1"] == [""]
    assert list(queue.take()) == ["1"]


def test_a_delayed_job_comes_due_while_the_queue_is_on_hold(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.each(new("later", due="+0"))
    queue.turn(want=1, moves=[move("hold", "1", leases["1"], delay=60_000)])
    assert "delayed" not in queue.state()


def test_a_hold_of_a_clock_that_went_back_is_over(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    queue.send("HSET", f"{queue.name}:meta", "held", "9000000000000 9000000060000")
    assert list(queue.take()) == ["1"]


def test_what_starts_late_counts_from_then_on(limited: Queue) -> None:
    leases = limited.take("w1", 4)
    limited.age("starts", 59_000)
    assert run_blocking(limited.connection, limited.store.late(b"1", leases["1"])) == 1
    limited.age("starts", 1_000)
    assert limited.take("w2", 1) == {}


def test_a_late_start_of_a_window_that_is_over_counts_no_more(limited: Queue) -> None:
    leases = limited.take("w1", 4)
    limited.age("starts", 60_000)
    assert len(limited.take("w2", 1)) == 1
    with limited.changes() as changed:
        assert run_blocking(limited.connection, limited.store.late(b"1", leases["1"])) == 0
    assert changed == {}


def test_a_hold_of_a_clock_that_went_back_lengthens_no_other(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.send("HSET", f"{queue.name}:meta", "held", "4000000000000 4000000060000")
    turn = queue.turn(want=1, park=True, moves=[move("hold", "1", leases["1"], delay=60_000)])
    assert turn.due is not None
    assert turn.due <= 60_000
