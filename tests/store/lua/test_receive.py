"""receive.lua: jobs whose ids anybody could have made up, known by their content, too."""

from __future__ import annotations

import pytest

from pipeline.store.call import StalePolicy, run_blocking
from pipeline.store.reader import server_time
from pipeline.store.store import Accepted, Mark, NewJob
from tests.store.lua.given import HOUR, Queue, move, new


def receive(queue: Queue, *pairs: tuple[NewJob, Mark], generation: str = "") -> list[Accepted]:
    jobs, marks = [job for job, _ in pairs], [mark for _, mark in pairs]
    return run_blocking(queue.connection, queue.store.receive(generation, jobs, marks))


def marked(id: str, mark: str, keep: int = HOUR, record: str = "a") -> tuple[NewJob, Mark]:
    return new(record, id=id), Mark(mark, keep)


def test_a_job_waits_and_its_mark_stands_for_its_id(queue: Queue) -> None:
    with queue.changes() as changed:
        assert receive(queue, marked("hook:1", "m1")) == [Accepted("hook:1", "created")]
    assert changed == {
        "jobs": {"hook:1": "a"}, "wait:0": ["hook:1"], "levels": ["0"], "stats": {"own": "1"}, "seen:m1": "hook:1",
    }  # fmt: skip


def test_another_id_with_the_same_mark_is_a_duplicate_of_the_first(queue: Queue) -> None:
    receive(queue, marked("hook:1", "m1"))
    with queue.changes() as changed:
        assert receive(queue, marked("hook:2", "m1")) == [Accepted("hook:1", "duplicate")]
    assert changed == {"stats": {"own": "1", "duplicates": "1"}}


def test_so_is_one_of_the_same_call(queue: Queue) -> None:
    answers = receive(queue, marked("hook:1", "m1"), marked("hook:2", "m1"), marked("hook:3", "m3"))
    assert [(one.id, one.status) for one in answers] == [
        ("hook:1", "created"), ("hook:1", "duplicate"), ("hook:3", "created"),
    ]  # fmt: skip


def test_the_same_id_with_another_mark_is_a_duplicate_and_that_mark_is_known_from_then_on(
    queue: Queue,
) -> None:
    receive(queue, marked("hook:1", "m1"))
    assert receive(queue, marked("hook:1", "m2")) == [Accepted("hook:1", "duplicate")]
    assert receive(queue, marked("hook:9", "m2")) == [Accepted("hook:1", "duplicate")]


def test_a_mark_outlives_its_job_and_ends_when_it_was_told_to(queue: Queue) -> None:
    receive(queue, marked("hook:1", "m1", keep=300))
    queue.join("w1")
    queue.turn(want=1)
    queue.turn(moves=[move("completed", "hook:1", queue.lease, outcome=b"end", keep=HOUR)])
    queue.send("HDEL", f"{queue.name}:jobs", "hook:1")
    assert receive(queue, marked("hook:2", "m1")) == [Accepted("hook:1", "duplicate")]
    queue.until(run_blocking(queue.connection, server_time()) + 310)
    assert receive(queue, marked("hook:3", "m1")) == [Accepted("hook:3", "created")]


def test_a_repeated_call_adds_nothing(queue: Queue) -> None:
    first = [marked("hook:1", "m1"), marked("hook:2", "m2")]
    receive(queue, *first)
    assert [one.status for one in receive(queue, *first)] == ["duplicate", "duplicate"]
    assert queue.state()["wait:0"] == ["hook:1", "hook:2"]


def test_an_older_policy_is_refused_and_nothing_is_remembered(queue: Queue) -> None:
    queue.send("HSET", f"{queue.name}:meta", "generation", "2")
    with queue.changes() as changed, pytest.raises(StalePolicy):
        receive(queue, marked("hook:1", "m1"), generation="1")
    assert changed == {}


def test_one_job_goes_straight_to_a_parked_worker(queue: Queue) -> None:
    queue.join("w1")
    queue.turn(want=1, park=True)
    assert receive(queue, marked("hook:1", "m1")) == [Accepted("hook:1", "created")]
    assert queue.state()["active:w1"]["hook:1"]
    assert "idle" not in queue.state()
