"""Workers that are replaced when they have done enough, and queues that share their workers."""

from __future__ import annotations

import signal


def test_a_worker_is_replaced_after_so_many_jobs_and_none_is_lost_or_run_twice(written):
    run = written.up("queues:\n  a: {handler: 'hands:work', recycle: {max_jobs: 20}}\n")
    first = run.children()
    ids = written.enqueue("a", *[{"seconds": 0.01}] * 100)
    run.says("is replaced: max_jobs reached")
    written.eventually(lambda: not set(first) & set(run.children()), "another worker serves")
    written.enqueue("a", *[{}] * 10)
    written.sees("end", 110)
    assert len(written.events("begin")) == 110
    assert {event.id for event in written.events("end")} >= set(ids)
    assert written.stats("a").get("reruns", 0) == 0
    assert run.stop() == 0


def test_a_worker_above_its_memory_is_replaced_after_the_job_that_runs(written):
    run = written.up("queues:\n  a: {handler: 'hands:grow', recycle: {max_memory: 150MiB}}\n")
    written.enqueue("a", {"mebibytes": 200, "seconds": 1.5})
    run.says("is replaced: max_memory reached")
    written.sees("end")
    assert len(written.events("begin")) == 1
    written.eventually(lambda: len(run.children()) == 1, "the old worker has left")
    assert run.stop() == 0


def test_a_worker_is_replaced_when_it_is_old_and_its_pool_serves_meanwhile(written):
    run = written.up("queues:\n  a: {handler: 'hands:work', processes: 2, recycle: {max_age: 3s}}\n")
    first = set(run.children())
    written.eventually(lambda: not first & set(run.children()), "both are replaced", 15)
    assert "is replaced: max_age reached" in run.output
    written.enqueue("a", {})
    written.sees("end")
    written.eventually(lambda: written.records()[0].pools[0].recycled.get("max_age", 0) >= 2, "it is counted")
    assert run.stop() == 0


SHARED = """
pools:
  small: {processes: 1}
queues:
  a: {handler: 'hands:work', pool: small, concurrency: 2}
  b: {handler: 'hands:block', pool: small, concurrency: 2}
  c: {handler: 'hands:work'}
"""


def test_queues_of_one_pool_are_served_by_the_same_processes(written):
    run = written.up(SHARED)
    assert len(run.children()) == 2
    for queue in "abc":
        written.enqueue(queue, {"seconds": 0.2}, {"seconds": 0.2})
    written.sees("end", 6)
    pids = {queue: {one.pid for one in written.events("end") if one.queue == queue} for queue in "abc"}
    assert pids["a"] == pids["b"]
    assert pids["a"] != pids["c"]
    assert run.stop() == 0


def test_what_a_killed_worker_of_several_queues_had_begun_runs_again_in_each(written):
    run = written.up(SHARED)
    for queue in "ab":
        written.enqueue(queue, {"seconds": 1.0})
    begun = written.sees("begin", 2)
    (pid,) = {event.pid for event in begun}
    written.kill(pid)
    assert {event.queue for event in written.sees("end", 2)} == {"a", "b"}
    assert len(written.events("begin")) == 4
    assert run.stop() == 0


def test_a_queue_moves_into_a_shared_pool_and_out_of_it_without_losing_a_job(written):
    own = "queues:\n  a: {handler: 'hands:work'}\n  b: {handler: 'hands:work'}\n"
    shared = (
        "pools: {both: {processes: 1}}\n"
        "queues:\n  a: {handler: 'hands:work', pool: both}\n  b: {handler: 'hands:work', pool: both}\n"
    )
    run = written.up(own)
    for text, workers in ((shared, 1), (own, 2), (shared, 1)):
        for queue in "ab":
            written.enqueue(queue, *[{"seconds": 0.3}] * 5)
        told = written.reload(text)
        assert told.returncode == 0, told.stderr
        written.eventually(lambda count=workers: len(run.children()) == count, "the old workers have left")
    written.sees("end", 30)
    assert len(written.events("begin")) == 30
    assert sum(written.stats(queue).get("reruns", 0) for queue in "ab") == 0
    assert run.stop() == 0


# --- overrides ----------------------------------------------------------------------------------------------


def one(processes: int) -> str:
    return f"queues:\n  a: {{handler: 'hands:work', processes: {processes}}}\n"


def test_scale_beats_the_file_until_it_ends(written):
    run = written.up(one(1))
    assert written.pipeline("scale", "a", "3", "--for", "3s").returncode == 0
    written.eventually(lambda: len(run.children()) == 3, "it is scaled")
    run.says("the file counts again")
    written.eventually(lambda: len(run.children()) == 1, "the file counts again")
    assert run.stop() == 0


def test_scale_outlives_other_changes_and_ends_with_a_change_of_the_same_key(written):
    run = written.up(one(1))
    assert written.pipeline("scale", "a", "3").returncode == 0
    written.eventually(lambda: len(run.children()) == 3, "it is scaled")
    assert written.reload(one(1).replace("}", ", concurrency: 4}")).returncode == 0
    assert len(run.children()) == 3
    assert written.reload(one(2)).returncode == 0
    written.eventually(lambda: len(run.children()) == 2, "the file counts again")
    assert run.stop() == 0


def test_scale_outlives_the_supervisor_and_reset_ends_it(written):
    run = written.up(one(1))
    assert written.pipeline("scale", "a", "2").returncode == 0
    written.eventually(lambda: len(run.children()) == 2, "it is scaled")
    run.signal(signal.SIGKILL)
    run.ends()
    again = written.up(one(1))
    written.eventually(lambda: len(again.children()) == 2, "it is scaled still")
    assert written.pipeline("reset", "a").returncode == 0
    written.eventually(lambda: len(again.children()) == 1, "the file counts again")
    assert again.stop() == 0


def test_a_pause_for_a_while_ends_by_itself(written):
    run = written.up(one(1))
    assert written.pipeline("pause", "a", "--for", "2s").returncode == 0
    (id,) = written.enqueue("a", {})
    assert written.events("begin") == []
    written.eventually(lambda: written.completed("a") == {id}, "it runs after all")
    assert run.stop() == 0


def test_scale_ends_when_its_key_changed_while_nothing_ran(written):
    run = written.up(one(1))
    assert written.pipeline("scale", "a", "3").returncode == 0
    written.eventually(lambda: len(run.children()) == 3, "it is scaled")
    assert run.stop() == 0
    again = written.up(one(2))
    assert len(again.children()) == 2
    assert again.stop() == 0
