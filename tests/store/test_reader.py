"""What the reader says of a job in each state, and of lists of them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import JobNotFound
from pipeline.job import KeptError, Outcome, Runs, encode
from pipeline.store.call import run_blocking
from pipeline.store.listing import Filter
from pipeline.store.reader import ShownError, queue_names
from pipeline.store.store import Move

# conftest's Bench: with importlib mode, tests cannot import from each other.
Bench = Any
ERROR = KeptError(1, 1_000, "TimeoutError", "too slow", "Traceback ...")


def test_a_new_job_waits_at_attempt_0_of_its_policy(bench: Bench) -> None:
    (id,) = bench.enqueue(level=5)
    job = bench.show(id)
    assert (job.state, job.attempt, job.attempts, job.priority) == ("waiting", 0, 3, 5)
    assert (job.name, job.data, job.queue) == ("send", {"n": 0}, "emails")
    assert (job.started_at, job.finished_at, job.result, job.error) == (None, None, None, None)


def test_an_active_job_is_at_its_first_attempt_and_names_its_worker(bench: Bench) -> None:
    (id,) = bench.enqueue()
    bench.take(1)
    job = bench.show(id)
    assert (job.state, job.attempt, job.worker) == ("active", 1, "w1")


def test_a_completed_job_shows_its_result_and_times(bench: Bench) -> None:
    bench.enqueue()
    id = bench.end("completed", outcome=Outcome(1, 10, 20, {"sent": True}))
    job = bench.show(id)
    assert (job.state, job.attempt, job.started_at, job.finished_at) == ("completed", 1, 10, 20)
    assert (job.result, job.error) == ({"sent": True}, None)


def test_a_dead_job_shows_its_error_with_the_traceback(bench: Bench) -> None:
    bench.enqueue()
    id = bench.die()
    job = bench.show(id)
    assert job.state == "dead"
    assert job.error == ShownError("TimeoutError", "too slow", "Traceback ...")
    assert job.errors == (ERROR,)


def test_a_job_between_attempts_shows_its_last_error(bench: Bench) -> None:
    bench.enqueue()
    ((id, lease),) = bench.take(1).items()
    bench.turn(moves=[Move("delayed", id.encode(), lease, delay=60_000, runs=encode(Runs(1, 0, (ERROR,))))])
    job = bench.show(id)
    assert (job.state, job.attempt, job.error.type) == ("delayed", 1, "TimeoutError")
    assert job.due_at is not None
    assert job.due_at > job.enqueued_at + 50_000


def test_a_job_that_is_not_kept_is_none(bench: Bench) -> None:
    assert run_blocking(bench.connection, bench.reader.show(["77"])) == [None]


def test_progress_and_logs_are_kept_with_the_job(bench: Bench) -> None:
    bench.enqueue()
    ((id, lease),) = bench.take(1).items()
    run_blocking(bench.connection, bench.store.note("w1", id, lease, b"", "charged"))
    assert bench.show(id).progress is None
    run_blocking(bench.connection, bench.store.note("w1", id, lease, b"50", ""))
    assert bench.show(id).progress == 50
    assert bench.show(id).logs == ["charged"]


def test_counts_tell_every_state_and_the_age_of_the_oldest(bench: Bench) -> None:
    bench.enqueue(count=4)
    bench.enqueue_own("late", delay="60s")
    bench.end("completed", outcome=Outcome(1, 1, 2))
    bench.die()
    bench.take(1)
    counts = bench.counts()
    assert (counts.waiting, counts.delayed, counts.active) == (1, 1, 1)
    assert (counts.completed, counts.dead, counts.cancelled, counts.workers) == (1, 1, 0, 1)
    assert (counts.generation, counts.paused) == (1, None)
    assert counts.enqueued == 5
    assert counts.oldest_at is not None
    assert counts.oldest_at <= counts.time


def test_lists_are_newest_first(bench: Bench) -> None:
    ids = bench.enqueue(count=3)
    assert bench.ids("waiting") == ids[::-1]
    ended = [bench.end("completed", outcome=Outcome(1, 1, at)) for at in (10, 20, 30)]
    assert bench.ids("completed") == ended[::-1]


def test_lists_run_over_levels_and_pages(bench: Bench) -> None:
    low, high = bench.enqueue(count=450), bench.enqueue(count=450, level=9)
    listed = bench.ids("waiting")
    assert set(listed) == {*low, *high}
    assert [id for id in listed if id in set(low)] == low[::-1]


def test_a_list_goes_on_behind_a_job(bench: Bench) -> None:
    ids = bench.enqueue(count=5)
    assert bench.ids("waiting", after=ids[2]) == [ids[1], ids[0]]
    with pytest.raises(JobNotFound, match="no job '99' in this list"):
        bench.ids("waiting", after="99")


def test_a_cancelled_job_leaves_the_waiting_list(bench: Bench) -> None:
    first, second = bench.enqueue(count=2)
    bench.operator.cancel(first)
    assert bench.ids("waiting") == [second]
    assert bench.ids("cancelled") == [first]


def test_lists_take_the_jobs_that_a_filter_means(bench: Bench) -> None:
    bench.enqueue("receipt")
    bench.enqueue("refund")
    other = KeptError(1, 1, "CardDeclined", "no money")
    first = bench.die(at=100)
    second = bench.die(other, at=200)
    assert bench.ids("dead", only=Filter(name="receipt")) == [first]
    assert bench.ids("dead", only=Filter(error="carddecl")) == [second]
    assert bench.ids("dead", only=Filter(error="NO MONEY")) == [second]
    assert bench.ids("dead", only=Filter(until=150)) == [first]
    assert bench.ids("dead", only=Filter(name="receipt", error="CardDeclined")) == []


def test_the_queues_of_a_project_are_those_ever_published(bench: Bench) -> None:
    bench.connection.call(("SADD", "{shop}:queues", "payments", "emails"))
    assert run_blocking(bench.connection, queue_names("shop")) == ["emails", "payments"]
