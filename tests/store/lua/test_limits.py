"""Who may take a job: pauses, limits over all workers, policies, and workers that serve lonely jobs only."""

from __future__ import annotations

from tests.store.lua.given import Queue, move


def test_a_paused_queue_gives_nothing_but_settles(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    leases = queue.take()
    queue.pause()
    with queue.changes() as changed:
        assert queue.turn("w1", 5, done=leases, park=True).parked
    assert changed == {
        "jobs": {"2": "b"},
        "active:w1": None,
        "idle": ["w1"],
        "stats": {"completed": "1"},
        "turns": {"w1": "2"},
    }


def test_a_queue_that_goes_on_wakes_its_workers(queue: Queue) -> None:
    queue.park("w1", "w2")
    assert queue.pause() is True
    assert queue.pause() is False
    assert queue.resume() is True
    assert queue.resume() is False
    assert "idle" not in queue.state()


def test_a_limit_holds_over_all_workers(queue: Queue) -> None:
    queue.join("w1", "w2")
    queue.enqueue(*"abcdef")
    queue.publish(1, limited=3)
    first = queue.take("w1", 2)
    second = queue.take("w2", 5)
    assert (len(first), len(second)) == (2, 1)
    assert queue.turn("w1", 5, park=True).parked
    assert len(queue.turn("w2", 5, done=second).ids) == 1


def test_the_room_that_a_leaving_worker_frees_wakes_another(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    queue.publish(1, limited=1)
    leases = queue.take("w1")
    queue.park("w2")
    queue.turn("w1", 0, done=leases)
    assert queue.state()["inbox:w2"] == [""]


def test_a_raised_limit_wakes_workers(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a", "b")
    queue.publish(1, limited=1)
    queue.take("w1")
    queue.park("w2")
    queue.publish(2, limited=2)
    assert queue.state()["inbox:w2"] == [""]
    assert len(queue.take("w2", 5)) == 1


def test_an_older_policy_changes_nothing(queue: Queue) -> None:
    assert queue.publish(5, policy="new", limited=4) == 5
    with queue.changes() as changed:
        assert queue.publish(4, policy="old") == 5
    assert changed == {}
    queue.publish(5, policy="again")
    assert queue.state()["meta"] == {"generation": "5", "policy": "again"}


def test_a_worker_for_lonely_jobs_takes_those_and_no_others(queue: Queue) -> None:
    queue.join("w1", "w2")
    queue.enqueue("a", "b")
    leases = queue.take()
    queue.turn(moves=[move("alone", "1", leases["1"])])
    assert queue.turn("w1", 5).ids == ["2"]
    turn = queue.turn("w2", 1, source="alone")
    assert (turn.ids, turn.records) == (["1"], ["a"])
    assert queue.turn("w2", 1, source="alone").ids == []
