"""Whatever makes a job takeable wakes a parked worker, or keeps it from falling asleep."""

from __future__ import annotations

from pipeline.store.call import run_blocking
from pipeline.store.reader import Reader
from tests.store.lua.given import HOUR, Queue, move, new


def test_a_retry_that_comes_due_next_wakes_those_that_sleep_until_later(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.park("w2")
    queue.turn("w1", moves=[move("delayed", "1", leases["1"], delay=1000)])
    assert queue.state()["inbox:w2"] == [""]


def test_a_reclaimed_job_that_comes_due_next_wakes_them_too(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    leases = queue.take()
    queue.park("w2")
    queue.expel("w1")
    queue.reclaim("w1", move("delayed", "1", leases["1"], delay=1000))
    assert queue.state()["inbox:w2"] == [""]


def test_a_nearer_delayed_job_wakes_every_parked_worker(queue: Queue) -> None:
    """One alone could be given a job before it had told its clock."""
    queue.park("w1", "w2")
    queue.each(new("a", due="+1000"))
    assert queue.state()["inbox:w1"] == queue.state()["inbox:w2"] == [""]


def test_a_worker_that_met_only_stale_entries_looks_again_at_once(queue: Queue) -> None:
    for _ in range(2):
        queue.enqueue(*("r" for _ in range(1000)))
    for number in range(1, 1501):
        queue.cancel(str(number))
    queue.join("w1")
    assert queue.turn("w1", 10, park=True).due == 0


def test_a_paused_queue_gives_no_job_to_a_worker_of_its_own_either(queue: Queue) -> None:
    queue.join("w1")
    queue.enqueue("a")
    queue.turn(moves=[move("alone", "1", queue.take()["1"])])
    queue.pause()
    assert queue.turn("w1", 1, source="alone").ids == []


def test_a_live_worker_is_woken_behind_any_number_of_lapsed_ones(queue: Queue) -> None:
    queue.park(*[f"old-{number}" for number in range(40)])
    queue.age("workers", 2 * HOUR)
    queue.park("w1")
    queue.enqueue("a")
    assert "w1" not in queue.state().get("idle", [])


def test_the_oldest_waiting_job_is_none_that_was_cancelled(queue: Queue) -> None:
    queue.enqueue('[1000,"s",null]')
    queue.enqueue('[2000,"s",null]')
    queue.cancel("1")
    assert run_blocking(queue.connection, Reader("shop", "emails").counts()).oldest_at == 2000
