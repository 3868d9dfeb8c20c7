"""What a person can do to jobs, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.errors import JobNotFound, WrongState
from pipeline.job import KeptError, Outcome
from pipeline.policy import Deduplication
from pipeline.producer import Wanted
from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.listing import Filter
from pipeline.store.reader import server_time

Bench = Any


def with_key(bench: Bench) -> None:
    """From now on jobs with the same `to` are duplicates until they are done."""
    job = msgspec.structs.replace(bench.policy.others, deduplication=Deduplication("{data.to}", "until_done"))
    bench.publish(msgspec.structs.replace(bench.policy, others=job))


def test_a_waiting_job_is_cancelled_and_kept(bench: Bench) -> None:
    first, second = bench.enqueue(count=2)
    bench.operator.cancel(first)
    job = bench.operator.job(first)
    assert (job.state, job.attempt, job.started_at) == ("cancelled", 0, None)
    assert job.finished_at >= job.enqueued_at
    assert list(bench.take(5)) == [second]


def test_a_delayed_job_is_cancelled(bench: Bench) -> None:
    id = bench.enqueue_own("later", delay="1h", priority=7)
    bench.operator.cancel(id)
    assert bench.counts().delayed == 0
    assert bench.operator.job(id).state == "cancelled"


@pytest.mark.parametrize("move", ["cancel", "remove", "promote", "redrive", "job"])
def test_a_job_that_is_not_kept_is_not_found(bench: Bench, move: str) -> None:
    with pytest.raises(JobNotFound, match="queue 'emails' keeps no job '99'"):
        getattr(bench.operator, move)("99")


def test_a_running_job_is_told_to_stop_and_not_removed(bench: Bench) -> None:
    (id,) = bench.enqueue()
    bench.take(1)
    assert bench.operator.cancel(id) == "active"
    assert bench.operator.job(id).state == "active"
    with pytest.raises(WrongState, match=f"job {id} of 'emails' runs"):
        bench.operator.remove(id)


def test_a_dead_job_waits_again_at_attempt_0(bench: Bench) -> None:
    bench.enqueue(level=4)
    id = bench.die()
    bench.operator.redrive(id)
    job = bench.operator.job(id)
    assert (job.state, job.attempt, job.priority, job.error, job.errors) == ("waiting", 0, 4, None, ())
    assert bench.counts().stats["redriven"] == 1


def test_a_completed_job_cannot_be_redriven(bench: Bench) -> None:
    bench.enqueue()
    id = bench.end("completed", outcome=Outcome(1, 1, 2))
    with pytest.raises(WrongState, match=f"job {id} of 'emails' is completed"):
        bench.operator.redrive(id)


def test_a_job_whose_key_another_holds_stays_dead_and_says_so(bench: Bench) -> None:
    with_key(bench)
    bench.client.enqueue("emails", "send", {"to": "ann"})
    died = bench.end("dead", outcome=Outcome(1, 1, 2), key="send:ann")
    holder = bench.client.enqueue("emails", "send", {"to": "ann"}).id
    with pytest.raises(WrongState, match=f"is a duplicate of {holder}"):
        bench.operator.redrive(died)
    answer = bench.operator.redrive_many(bench.operator.jobs(["dead"]))
    assert (answer.moved, answer.kept) == (0, {died: f"is a duplicate of {holder}"})


def test_many_are_redriven_in_chunks_that_report_progress(bench: Bench) -> None:
    bench.enqueue(count=650)
    leases = bench.take(1000)
    bench.operator.connection.call(
        ("ZADD", f"{bench.store.queue}:dead", *[x for id in leases for x in (1, id)])
    )
    bench.operator.connection.call(("DEL", f"{bench.store.queue}:active:w1"))
    steps: list[int] = []
    answer = bench.operator.redrive_many(bench.operator.jobs(["dead"]), steps.append)
    assert (answer.moved, answer.kept, steps) == (650, {}, [200, 200, 200, 50])
    assert (bench.counts().waiting, bench.counts().dead) == (650, 0)


def test_a_filter_chooses_which_dead_jobs_are_redriven(bench: Bench) -> None:
    bench.enqueue(count=2)
    bench.die(KeptError(1, 1, "CardDeclined", "no money"))
    other = bench.die()
    answer = bench.operator.redrive_many(bench.operator.jobs(["dead"], Filter(error="carddeclined")))
    assert answer.moved == 1
    assert bench.ids("dead") == [other]


def test_a_delayed_job_is_promoted_at_its_priority(bench: Bench) -> None:
    id = bench.enqueue_own("later", delay="1h", priority=3)
    bench.enqueue(count=1)
    assert bench.operator.job(id).due_at is not None
    bench.operator.promote(id)
    assert list(bench.take(1)) == [id]
    with pytest.raises(WrongState, match="is active"):
        bench.operator.promote(id)


def test_a_removed_job_is_gone_and_its_own_id_stays_taken(bench: Bench) -> None:
    id = bench.enqueue_own("evt_1")
    assert bench.operator.remove(id) == "waiting"
    with pytest.raises(JobNotFound):
        bench.operator.job(id)
    assert bench.client.enqueue("emails", "send", {}, id="evt_1").status == "duplicate"
    assert bench.counts().stats["purged"] == 1


def test_dead_jobs_are_deleted_in_chunks(bench: Bench) -> None:
    bench.enqueue(count=3)
    for _ in range(3):
        bench.die()
    steps: list[int] = []
    assert bench.operator.remove_many(bench.operator.jobs(["dead"]), steps.append) == 3
    assert (steps, bench.counts().dead, bench.ids("dead")) == ([3], 0, [])


def test_a_paused_queue_says_by_whom_and_gives_no_jobs(bench: Bench) -> None:
    bench.enqueue()
    assert bench.operator.pause("ann@host")
    assert not bench.operator.pause("bob@host")
    assert msgspec.json.decode(bench.counts().paused)["by"] == "bob@host"
    assert bench.take(1) == {}
    assert bench.operator.resume()
    assert not bench.operator.resume()
    assert len(bench.take(1)) == 1


def test_a_purge_deletes_waiting_jobs_only_and_frees_their_keys(bench: Bench) -> None:
    bench.enqueue()
    bench.take(1)
    bench.enqueue(count=1200)
    bench.enqueue_own("later", delay="1h")
    with_key(bench)
    bench.client.enqueue("emails", "send", {"to": "ann"})
    steps: list[int] = []
    assert bench.operator.purge(steps.append) == 1201
    assert sum(steps) == 1201
    assert len(steps) == 2
    counts = bench.counts()
    assert (counts.waiting, counts.active, counts.delayed, counts.stats["purged"]) == (0, 1, 1, 1201)
    assert bench.client.enqueue("emails", "send", {"to": "ann"}).status == "created"


def test_an_id_stays_taken_for_as_long_as_its_job_says_whatever_a_person_does_to_it(bench: Bench) -> None:
    for id in ("a:1", "a:2", "a:3"):
        bench.client.enqueue_many("emails", [Wanted("send", {}, id, keep=4_000_000)])
    bench.operator.cancel("a:1")
    bench.operator.remove("a:2")
    bench.operator.purge()
    now = run_blocking(bench.connection, server_time())
    until = bench.connection.call(("ZMSCORE", keys.ids(bench.store.queue), "a:1", "a:2", "a:3"))
    assert [3_900_000 < float(one) - now <= 4_000_000 for one in until] == [True, True, True]
