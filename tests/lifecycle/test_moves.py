"""Queues that move between pools, get another name, or go, while their jobs run."""

from __future__ import annotations

import signal

import pytest

HEAD = "10s", "1s, reload: {watch: false}"


@pytest.fixture
def hasty(written):
    """A supervisor that gives a stop 1 s only."""
    written.head = written.head.replace(*HEAD)
    return written


def ran_once(written, queue, ids):
    written.eventually(lambda: written.completed(queue) == {*ids}, "every job is completed")
    assert sorted(event.id for event in written.events("begin") if event.queue == queue) == sorted(ids)
    assert written.stats(queue).get("reruns", 0) == 0


def test_a_job_of_a_queue_that_moves_to_another_pool_may_last_longer_than_a_stop(hasty):
    own = "queues:\n  a: {handler: 'hands:work'}\n"
    run = hasty.up(own)
    ids = hasty.enqueue("a", {"seconds": 3})
    hasty.sees("begin")
    assert hasty.reload(own.replace("}", ", pool: other}")).returncode == 0
    more = hasty.enqueue("a", {})
    ran_once(hasty, "a", ids + more)
    hasty.eventually(lambda: len(run.children()) == 1, "the old pool has left")
    (record,) = hasty.eventually(
        lambda: [one for one in hasty.records() if len(one.pools) == 1], "status knows one pool"
    )
    assert record.pools[0].pool == "other"
    assert run.stop() == 0


def test_a_job_of_a_queue_that_is_removed_may_last_longer_than_a_stop(hasty):
    both = "queues:\n  a: {handler: 'hands:work'}\n  b: {handler: 'hands:work'}\n"
    run = hasty.up(both)
    ids = hasty.enqueue("b", {"seconds": 3})
    hasty.sees("begin")
    assert hasty.reload("queues:\n  a: {handler: 'hands:work'}\n").returncode == 0
    ran_once(hasty, "b", ids)
    hasty.eventually(lambda: len(run.children()) == 1, "its worker has left")
    assert run.stop() == 0


def test_a_stop_ends_the_workers_of_a_removed_queue_in_its_own_time(hasty):
    run = hasty.up("queues:\n  a: {handler: 'hands:work'}\n  b: {handler: 'hands:work'}\n")
    (id,) = hasty.enqueue("b", {"seconds": 30})
    hasty.sees("begin")
    assert hasty.reload("queues:\n  a: {handler: 'hands:work'}\n").returncode == 0
    run.signal(signal.SIGTERM)
    assert run.ends(20) == 0
    assert hasty.ask("LRANGE", "{test:b}:wait:0", 0, -1) == [id.encode()]
    assert "Traceback" not in run.output


def test_a_renamed_queue_leaves_its_jobs_under_the_old_name_until_it_is_put_back(hasty):
    text = "queues:\n  {}: {{handler: 'hands:work', concurrency: 1}}\n"
    run = hasty.up(text.format("a"))
    ids = hasty.enqueue("a", {"seconds": 7}, {}, {})
    hasty.sees("begin")
    assert hasty.reload(text.format("b")).returncode == 0
    hasty.enqueue("b", {})
    hasty.sees("end", 2)
    assert hasty.ask("LLEN", "{test:a}:wait:0") == 2
    assert hasty.reload(text.format("a")).returncode == 0
    ran_once(hasty, "a", ids)
    assert run.stop() == 0


def test_all_queues_but_one_may_go_at_once(hasty):
    names = [f"q{number}" for number in range(8)]
    text = "queues:\n" + "".join(f"  {name}: {{handler: 'hands:work'}}\n" for name in names)
    run = hasty.up(text)
    for name in names:
        hasty.enqueue(name, {"seconds": 0.5})
    hasty.sees("begin", 8)
    assert hasty.reload("queues:\n  q3: {handler: 'hands:work'}\n").returncode == 0
    hasty.sees("end", 8)
    hasty.eventually(lambda: len(run.children()) == 1, "one worker is left")
    assert len(hasty.events("begin")) == 8
    assert run.stop() == 0


def test_a_worker_that_is_replaced_and_hangs_past_the_limit_of_its_job_is_killed(hasty):
    text = "queues:\n  a: {{handler: 'hands:{}', timeout: 1s}}\n"
    run = hasty.up(text.format("stall"))
    (id,) = hasty.enqueue("a", {})
    hasty.sees("begin")
    assert hasty.reload(text.format("work")).returncode == 0
    hasty.eventually(lambda: hasty.dead("a").get(id) == "TimeoutError", "its job has failed")
    hasty.eventually(lambda: len(run.children()) == 1, "it is gone")
    assert run.stop() == 0


def test_a_worker_that_hangs_and_is_in_the_way_of_the_next_change_is_killed_in_time(hasty):
    text = "queues:\n  a: {{handler: 'hands:{}', timeout: 10m}}\n"
    run = hasty.up(text.format("stall"))
    (id,) = hasty.enqueue("a", {})
    (begun,) = hasty.sees("begin")
    for handler in ("other", "work", "other"):
        told = hasty.reload(text.format(handler))
        assert told.returncode == 0, told.stderr
    assert hasty.is_gone(begun.pid)
    assert "it does not leave" in run.output
    hasty.eventually(lambda: hasty.completed("a") == {id}, "its job ran again")
    assert run.stop() == 0


# --- one worker, several queues -------------------------------------------------------------------------------

FIVE = "pools: {all: {processes: 1}}\nqueues:\n" + "".join(
    f"  {name}: {{handler: 'hands:work', pool: all, concurrency: 2, max_crashes: 5}}\n" for name in "abcde"
)


def test_a_killed_worker_of_five_queues_gives_back_what_it_began_and_what_it_held_in_each(hasty):
    run = hasty.up(FIVE)
    ids = {name: hasty.enqueue(name, *[{"seconds": 0.4}] * 2, *[{}] * 6) for name in "abcde"}
    (pid,) = {event.pid for event in hasty.sees("begin", 10)}
    hasty.kill(pid)
    for name in "abcde":
        hasty.eventually(lambda name=name: hasty.completed(name) == {*ids[name]}, f"{name} is done")
        assert hasty.stats(name).get("failed", 0) == 0
    begun = hasty.events("begin")
    assert len(begun) <= 5 * 8 + 10
    assert {event.attempt for event in begun} == {1}
    assert run.stop() == 0


def test_a_poison_job_spares_the_neighbour_queue_of_its_pool(hasty):
    run = hasty.up(
        "pools: {both: {processes: 1}}\n"
        "queues:\n  a: {handler: 'hands:die', pool: both}\n"
        "  b: {handler: 'hands:work', pool: both, concurrency: 20, max_crashes: 3}\n"
    )
    ids = hasty.enqueue("b", *[{"seconds": 0.02}] * 1000)
    (poison,) = hasty.enqueue("a", {})
    hasty.eventually(lambda: hasty.dead("a") == {poison: "WorkerCrashed"}, "the poison is dead")
    hasty.eventually(lambda: hasty.stats("b").get("completed", 0) == 1000, "all others are completed")
    assert hasty.dead("b") == {}
    assert {event.id for event in hasty.events("end")} == {*ids}
    assert len([event for event in hasty.events("begin") if event.queue == "a"]) == 3
    assert run.stop() == 0
