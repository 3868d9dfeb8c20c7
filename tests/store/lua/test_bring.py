"""Jobs that come from another broker: given lists -> bring -> expected lists."""

from __future__ import annotations

import pytest

from pipeline.errors import BrokerRefused
from pipeline.store.call import run_blocking
from pipeline.store.store import Brought
from tests.store.lua.given import HOUR, Queue, new


def job(id: str, record: str = "r", **given: object) -> Brought:
    fields: dict[str, object] = {
        "level": 0,
        "due": "",
        "lane": "",
        "runs": b"",
        "outcome": b"",
        "key": "",
        "window": "",
    }
    return Brought(id=id, record=record.encode(), **(fields | given))  # type: ignore[arg-type]


def bring(queue: Queue, *jobs: Brought, generation: str = "") -> list[str]:
    return run_blocking(queue.connection, queue.store.bring(generation, HOUR, list(jobs)))


def test_jobs_wait_in_the_order_in_which_they_come_each_at_its_level(queue: Queue) -> None:
    with queue.changes() as changed:
        assert bring(queue, job("7"), job("mine", level=5), job("3")) == ["created"] * 3
    assert changed["wait:0"] == ["7", "3"]
    assert changed["wait:5"] == ["mine"]
    assert changed["jobs"] == {"7": "r", "mine": "r", "3": "r"}


def test_our_next_id_lies_above_all_that_came_and_the_gap_is_no_job(queue: Queue) -> None:
    queue.enqueue("own")
    bring(queue, job("40"))
    assert queue.enqueue("next") == 41
    assert int(queue.send("GET", f"{queue.name}:last_id")) - queue.stat("gaps") + queue.stat("own") == 3


def test_a_delayed_job_keeps_its_time_and_its_level(queue: Queue) -> None:
    with queue.changes() as changed:
        bring(queue, job("a", level=3, due=4_000_000_000_000), job("b", due=1))
    assert (changed["delayed"], changed["levelof"], changed["wait:0"]) == (["a"], {"a": "3"}, ["b"])


def test_what_earlier_attempts_left_comes_along_and_who_must_run_alone_does(queue: Queue) -> None:
    with queue.changes() as changed:
        bring(queue, job("a", runs=b"[2,0]"), job("b", level="alone", runs=b"[0,2]"))
    assert changed["runs"] == {"a": "[2,0]", "b": "[0,2]"}
    assert (changed["wait:0"], changed["alone"]) == (["a"], ["b"])


def test_a_dead_job_is_dead_there_too_and_counted_as_one(queue: Queue) -> None:
    with queue.changes() as changed:
        bring(queue, job("a", due=5, outcome=b"died"))
    assert (changed["dead"], changed["outcomes"]) == (["a"], {"a": "died"})
    assert (queue.stat("own"), queue.stat("dead")) == (1, 1)
    assert "wait:0" not in changed


def test_a_repeat_brings_nothing_twice_also_when_the_job_has_ended_meanwhile(queue: Queue) -> None:
    bring(queue, job("7"))
    assert bring(queue, job("7")) == ["duplicate"]
    queue.join("w1")
    queue.turn(done=queue.take(), keep=0)
    assert queue.send("HLEN", f"{queue.name}:jobs") == 0
    assert bring(queue, job("7")) == ["duplicate"]


def test_an_id_that_another_job_has_is_told_and_the_others_come(queue: Queue) -> None:
    queue.enqueue("own")
    assert bring(queue, job("1", "another"), job("2")) == ["taken", "created"]
    assert queue.send("HGET", f"{queue.name}:jobs", "1") == "own"


def test_a_key_is_held_for_what_is_left_of_its_window(queue: Queue) -> None:
    bring(queue, job("a", key="k", window=HOUR), job("b", key="always"))
    assert 0 < queue.send("PTTL", f"{queue.name}:dedup:k") <= HOUR
    assert queue.send("PTTL", f"{queue.name}:dedup:always") == -1
    assert queue.each(new("r", key="k"))[0].id == "a"


def test_a_job_whose_key_is_held_there_by_another_runs_all_the_same(queue: Queue) -> None:
    [held] = queue.each(new("r", key="k"))
    assert bring(queue, job("a", key="k")) == ["created"]
    assert queue.send("GET", f"{queue.name}:dedup:k") == held.id


def test_a_job_waits_in_its_lane(queue: Queue) -> None:
    queue.publish(1, lanes="1 0 0 1 0")
    with queue.changes() as changed:
        bring(queue, job("a", lane="x"), job("b", lane="x"), generation="1")
    assert (changed["wait:0"], changed["lane_sizes"]) == (["a"], ["", "x"])


def test_a_parked_worker_is_woken(queue: Queue) -> None:
    queue.park("w1")
    bring(queue, job("a"))
    assert queue.send("LRANGE", f"{queue.name}:inbox:w1", 0, -1) == [""]


def test_another_generation_than_the_one_that_runs_is_refused(queue: Queue) -> None:
    queue.publish(2)
    with pytest.raises(BrokerRefused, match="POLICY 2"):
        bring(queue, job("a"), generation="1")
