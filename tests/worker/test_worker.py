"""A worker process under its supervisor's orders: it begins, changes and ends with all of its queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.policy import JobPolicy, QueuePolicy, Timeout
from pipeline.store.store import Move, Store
from tests.worker.process import Process, eventually, queue

Start = Callable[..., Process]
A_WHILE = 0.2
"""Seconds in which a worker would have done what it must not do."""


@pytest.fixture
def start(tmp_path: Path, broker: str) -> Iterator[Start]:
    """Starts a worker process of the given queues, once it has loaded the handlers."""
    started: list[Process] = []

    def begin(*queues: QueuePolicy, **own: Any) -> Process:
        started.append(Process(tmp_path, broker, *queues, **own))
        started[-1].code = started[-1].hears("ready")["code"]
        return started[-1]

    yield begin
    for process in started:
        process.close()


def both(**own: Any) -> tuple[QueuePolicy, QueuePolicy]:
    """A queue of coroutines and one of threads, for one process."""
    return queue("loop", "on_loop", **own), queue("thread", "in_thread", **own)


def reclaim(worker: Process, queue: str) -> None:
    """Take back the job that the worker runs there."""
    store = Store("shop", queue)
    held = worker.ask(store.expel("w1", "dead")) or []
    moves = [Move("front", row.id, int(row.lease)) for row in held if row.record]
    assert worker.ask(store.reclaim("w1", moves)) == 1


# --- the beginning -------------------------------------------------------------------------------------


def test_a_worker_that_waits_takes_no_job_and_no_place_before_go(start: Start) -> None:
    worker = start(*both(), waits=True)
    worker.enqueue("loop", None)
    worker.apply(*both(concurrency=3))
    worker.hears("applied")
    time.sleep(A_WHILE)
    counts = worker.counts("loop")
    assert (counts.waiting, counts.workers, worker.ran("loop")) == (1, 0, [])
    worker.tell({"do": "go"})
    eventually(lambda: worker.completed("loop") == 1, "the job is completed")


@pytest.mark.parametrize("order", [{"do": "drain", "timeout": None}, {"do": "release"}])
def test_a_worker_that_never_began_ends_as_one_that_was_drained(start: Start, order: dict[str, Any]) -> None:
    worker = start(*both(), waits=True)
    worker.enqueue("loop", None)
    worker.tell(order)
    worker.hears("drained")
    assert (worker.ends(), worker.counts("loop").waiting) == (0, 1)


def test_a_worker_tells_which_code_it_runs(start: Start, tmp_path: Path) -> None:
    first, same = (start(queue("loop", "on_loop"), waits=True) for _ in range(2))
    (tmp_path / "more.py").write_text("from hands import on_loop")
    more = start(QueuePolicy("loop", others=JobPolicy("more:on_loop")), waits=True)
    assert first.code == same.code != more.code
    assert len(first.code) == 8


# --- another policy ------------------------------------------------------------------------------------


def test_a_policy_with_a_handler_that_cannot_be_found_changes_no_queue(start: Start) -> None:
    worker = start(*both(concurrency=1))
    worker.enqueue("loop", "gate", "gate")
    worker.runs("loop", 1)
    worker.apply(queue("loop", "on_loop", concurrency=5), queue("thread", "nothing"))
    assert "module 'hands' has no 'nothing'" in worker.hears("failed_policy")["reason"]
    worker.apply(queue("loop", "in_thread"))
    assert "need a new process" in worker.hears("failed_policy")["reason"]
    time.sleep(A_WHILE)
    assert len(worker.boards["loop"].running()) == 1
    # The same worker goes on, and takes a policy that is right.
    worker.apply(queue("loop", "on_loop", concurrency=2))
    worker.hears("applied")
    worker.runs("loop", 2)


def test_a_policy_of_a_queue_that_is_another_workers_is_passed_by(start: Start) -> None:
    worker = start(queue("loop", "on_loop", concurrency=1))
    worker.enqueue("loop", "gate", "gate")
    worker.runs("loop", 1)
    worker.apply(queue("elsewhere", "nothing"), queue("loop", "on_loop", concurrency=2))
    worker.hears("applied")
    worker.runs("loop", 2)


@pytest.mark.parametrize("handler", ["on_loop", "in_thread"])
def test_policies_that_come_amid_a_thousand_jobs_lose_none_and_run_none_twice(
    start: Start, handler: str
) -> None:
    worker = start(queue("q", handler, concurrency=10))
    for change in range(40):
        worker.enqueue("q", *[None] * 25)
        worker.apply(queue("q", handler, concurrency=(1, 100, 3, 30)[change % 4], max_crashes=2 + change))
    for _ in range(40):
        worker.hears("applied")
    eventually(lambda: worker.completed("q") == 1_000, "all are completed")
    ran, counts = worker.ran("q"), worker.counts("q")
    assert len(ran) == len(set(ran)) == 1_000
    assert (counts.waiting, counts.active, counts.stats.get("lost_leases", 0)) == (0, 0, 0)


@pytest.mark.parametrize("handler", ["on_loop", "in_thread"])
def test_a_queue_that_shrank_to_one_slot_grows_to_a_hundred(start: Start, handler: str) -> None:
    worker = start(queue("q", handler, concurrency=50))
    worker.enqueue("q", *["first"] * 50, *["then"] * 150)
    before = worker.runs("q", 50)
    worker.apply(queue("q", handler, concurrency=1))
    worker.hears("applied")
    assert worker.boards["q"].running() == before
    worker.open("first")
    worker.runs("q", 1)
    eventually(lambda: worker.counts("q").waiting == 149, "the rest waits")
    worker.apply(queue("q", handler, concurrency=100))
    worker.runs("q", 100)
    worker.open("then")
    eventually(lambda: worker.completed("q") == 200, "all are completed")
    assert len(worker.ran("q")) == 200


# --- the end, of several queues ------------------------------------------------------------------------


def test_a_drain_ends_what_runs_in_every_queue(start: Start) -> None:
    worker = start(*both(concurrency=1))
    for name in ("loop", "thread"):
        worker.enqueue(name, "gate", None)
        worker.runs(name, 1)
    worker.tell({"do": "drain", "timeout": None})
    worker.open("gate")
    worker.hears("drained")
    assert worker.ends() == 0
    for name in ("loop", "thread"):
        counts = worker.counts(name)
        assert (counts.waiting, counts.active, counts.workers) == (1, 0, 0)
        assert counts.stats["completed"] == 1


def test_a_quiet_worker_takes_no_job_of_any_queue_and_ends_what_runs(start: Start) -> None:
    worker = start(*both())
    for name in ("loop", "thread"):
        worker.enqueue(name, "gate")
        worker.runs(name, 1)
    worker.tell({"do": "quiet"})
    worker.apply(*both(concurrency=20))
    worker.hears("applied")
    for name in ("loop", "thread"):
        worker.enqueue(name, None)
    worker.open("gate")
    for name in ("loop", "thread"):
        eventually(lambda name=name: worker.completed(name) == 1, "what ran is completed")  # type: ignore[misc]
        assert worker.counts(name).waiting == 1
    worker.tell({"do": "drain", "timeout": None})
    worker.hears("drained")


@pytest.mark.parametrize(("lost", "other"), [("loop", "thread"), ("thread", "loop")])
def test_a_worker_that_is_reclaimed_in_one_queue_gives_back_the_jobs_of_the_others(
    start: Start, lost: str, other: str
) -> None:
    worker = start(*both())
    [id] = worker.enqueue(lost, "gate")
    worker.enqueue(other, "other gate")
    worker.runs(lost, 1)
    worker.runs(other, 1)
    reclaim(worker, lost)
    worker.open("gate")
    assert worker.ends() == 75
    # Its late result does not count, and nobody was told that it drained.
    counts = worker.counts(lost)
    assert (counts.waiting, counts.active, worker.ran(lost)) == (1, 0, [id])
    counts = worker.counts(other)
    assert (counts.waiting, counts.active, counts.workers) == (1, 0, 0)


def test_a_reclaimed_worker_ends_though_its_handler_does_not_let_itself_be_cancelled(start: Start) -> None:
    worker = start(queue("q", "stubborn"), queue("loop", "on_loop"))
    worker.enqueue("q", "gate")
    worker.enqueue("loop", "other gate")
    worker.runs("q", 1)
    worker.runs("loop", 1)
    reclaim(worker, "loop")
    worker.open("other gate")
    assert worker.ends() == 75
    assert worker.counts("q").waiting == 1


def test_a_handler_that_hangs_in_one_queue_drains_them_all(start: Start) -> None:
    worker = start(queue("loop", "on_loop"), queue("thread", "in_thread", hard=50))
    worker.enqueue("loop", "gate")
    worker.runs("loop", 1)
    [id] = worker.enqueue("thread", "never")
    assert worker.hears("retiring")["reason"] == f"job {id} does not stop at its time limit"
    worker.enqueue("loop", None)
    worker.open("gate")
    worker.hears("drained")
    assert worker.ends() == 0
    counts = worker.counts("loop")
    assert (counts.waiting, counts.active, counts.stats["completed"]) == (1, 0, 1)
    assert len(worker.counts("thread").stats) > 0
    assert worker.counts("thread").dead == 1


def test_a_retiring_worker_waits_for_its_neighbours_as_long_as_the_last_policy_says(start: Start) -> None:
    policies = queue("loop", "on_loop"), queue("thread", "in_thread", hard=300)
    worker = start(*policies, stop_timeout=3_600_000)
    worker.apply(*policies, stop_timeout=10)
    worker.hears("applied")
    worker.enqueue("loop", "never")
    worker.enqueue("thread", "never")
    worker.hears("retiring")
    worker.hears("drained")
    assert (worker.ends(), worker.counts("loop").waiting) == (0, 1)


def test_a_quiet_worker_whose_handler_hangs_leaves_with_all_of_its_queues(start: Start) -> None:
    worker = start(queue("loop", "on_loop"), queue("thread", "in_thread", hard=300))
    worker.enqueue("thread", "never")
    worker.runs("thread", 1)
    worker.tell({"do": "quiet"})
    # It was told to take no more, so that nobody must take its place.
    worker.hears("drained")
    assert worker.ends() == 0


def test_a_handler_that_serves_two_queues_is_imported_once(start: Start, tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(
        "from pathlib import Path\nfrom hands import on_loop, note\n"
        "with (Path(__file__).parent / 'imports').open('a') as file: file.write('x')\n"
    )
    jobs = {"job": JobPolicy("counted:on_loop"), "other": JobPolicy("counted:on_loop", Timeout(hard=9_000))}
    queues = QueuePolicy("a", jobs), QueuePolicy("b", jobs)
    worker = start(*queues)
    worker.apply(*(msgspec.structs.replace(policy, concurrency=3) for policy in queues))
    worker.hears("applied")
    assert (tmp_path / "imports").read_text() == "x"
