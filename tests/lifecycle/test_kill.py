"""What happens when processes are killed."""

from __future__ import annotations

import os
import signal
import time

from msgspec.structs import replace

from pipeline.store import keys


def test_the_job_of_a_killed_worker_runs_again_within_a_second(project):
    project.queue("a", "hands:once_slow")
    project.enqueue("a", {})
    run = project.run()
    (first,) = project.sees("begin")
    killed = time.monotonic()
    os.kill(first.pid, signal.SIGKILL)
    second = project.sees("begin", 2)[1]
    assert second.at - killed < 1
    assert second.pid != first.pid
    project.sees("end")
    assert run.stop() == 0
    assert project.stats("a").get("failed", 0) == 0


def test_an_idle_worker_takes_over_the_jobs_of_a_killed_one(project):
    project.queue("a", "hands:once_slow", processes=2)
    run = project.run()
    idle = keys.idle(keys.base("test", "a"))
    project.eventually(lambda: project.ask("SCARD", idle) == 2, "both workers are idle")
    project.enqueue("a", {})
    (first,) = project.sees("begin")
    killed = time.monotonic()
    os.kill(first.pid, signal.SIGKILL)
    assert project.sees("begin", 2)[1].at - killed < 0.3
    project.sees("end")
    assert run.stop() == 0


def test_a_job_that_kills_its_process_three_times_is_dead_and_its_neighbours_are_not(project):
    project.queue("a", "hands:work", concurrency=5)
    project.queue("killer", "hands:die", concurrency=5)
    (id,) = project.enqueue("killer", {})
    run = project.run()
    project.eventually(lambda: project.dead("killer"), "the job is dead")
    assert project.dead("killer") == {id: "WorkerCrashed"}
    assert len(project.events("begin")) == 3
    project.enqueue("a", {})
    project.sees("end")
    assert run.stop() == 0


def test_a_job_runs_alone_at_its_second_crash_so_that_no_neighbour_is_blamed(project):
    (project.root / "mixed.py").write_text(
        "import hands\nasync def go(job):\n    await (hands.die if job.data['die'] else hands.work)(job)\n"
    )
    project.queue("a", "mixed:go", concurrency=10)
    ids = project.enqueue("a", *[{"die": n == 3, "seconds": 0.2} for n in range(8)])
    assert project.run("--until-empty").ends() == 1
    assert project.dead("a") == {ids[3]: "WorkerCrashed"}
    assert project.completed("a") == {*ids} - {ids[3]}


def test_a_process_that_exits_with_0_inside_a_handler_is_a_crash_too(project):
    project.queue("a", "hands:die", max_crashes=1)
    (id,) = project.enqueue("a", {"code": 0})
    assert project.run("--until-empty").ends() == 1
    assert project.dead("a") == {id: "WorkerCrashed"}


def test_no_orphan_outlives_a_killed_supervisor_and_its_jobs_come_back_with_the_next(embedded):
    embedded.durability = (
        "fsync"  # the embedded server dies, too: with everysec that may cost the last two seconds
    )
    embedded.queue("a", "hands:once_slow")
    run = embedded.run()
    run.says("a runs")
    ids = embedded.enqueue("a", {}, {})
    embedded.sees("begin", 2)
    children = run.children()
    assert len(children) == 2
    run.signal(signal.SIGKILL)
    embedded.eventually(lambda: all(map(embedded.is_gone, children)), "every child is gone", 5)
    assert embedded.run("--until-empty").ends() == 0
    assert [event.id for event in embedded.events("end")] == ids


def test_a_restarted_supervisor_does_not_wait_for_the_leases_of_the_one_before_it(project):
    project.queue("a", "hands:once_slow")
    project.enqueue("a", {})
    run = project.run()
    project.sees("begin")
    run.signal(signal.SIGKILL)
    started = time.monotonic()
    project.run()
    project.sees("end")
    assert time.monotonic() - started < project.rules.lease / 1000


def test_what_a_handler_started_dies_with_its_worker(project):
    (project.root / "spawner.py").write_text(
        "import subprocess, time\n"
        "async def go(job):\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    open(__file__ + '.pid', 'w').write(str(child.pid))\n"
        "    time.sleep(60)\n"
    )
    project.queue("a", "spawner:go")
    project.enqueue("a", {})
    run = project.run()
    mark = project.root / "spawner.py.pid"
    grandchild = int(project.eventually(lambda: mark.exists() and mark.read_text(), "the grandchild"))
    (worker,) = run.children()
    os.kill(worker, signal.SIGKILL)
    project.eventually(lambda: project.is_gone(grandchild), "the grandchild is gone")


def test_no_zombie_is_left(project):
    project.queue("a", "hands:work", processes=2)
    run = project.run()
    run.says("a runs")
    project.enqueue("a", {})
    project.sees("end")
    before = project.eventually(lambda: len(run.children()) == 2 and run.children(), "two workers")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    project.eventually(
        lambda: len(run.children()) == 2 and not {*run.children()} & {*before}, "two others, no zombie"
    )


def test_a_frozen_worker_keeps_what_it_runs_and_nothing_else(project):
    project.queue("a", "hands:work", processes=2, concurrency=1)
    run = project.run()
    project.enqueue("a", {"seconds": 3})
    (event,) = project.sees("begin")
    os.kill(event.pid, signal.SIGSTOP)
    others = project.enqueue("a", *[{}] * 10)
    project.sees("end", 10)
    assert {event.id for event in project.events("end")} == {*others}
    os.kill(event.pid, signal.SIGCONT)
    project.sees("end", 11)
    assert run.stop() == 0
    assert project.stats("a").get("lost_leases", 0) == 0


def test_a_worker_whose_job_blocks_past_its_limit_is_killed_and_the_job_fails_by_timeout(project):
    project.queue("a", "hands:stall", hard=200)
    (id,) = project.enqueue("a", {})
    run = project.run()
    project.eventually(lambda: project.dead("a"), "the job is dead")
    assert project.dead("a") == {id: "TimeoutError"}
    assert len(project.events("begin")) == 1
    assert run.stop() == 0


def test_twenty_deaths_without_a_job_settled_make_the_pool_fatal(project):
    (project.root / "doomed.py").write_text(
        "import os, threading\nthreading.Timer(0.05, os._exit, [7]).start()\nasync def go(job):\n    pass\n"
    )
    project.rules = replace(project.rules, stop_timeout=1000)
    project.queue("a", "doomed:go")
    run = project.run()
    run.says("a is FATAL: 20 workers died in a row", 40)
    assert run.ends() == 1


def test_a_worker_that_was_reclaimed_is_replaced(project):
    project.rules = replace(project.rules, lease=1000)
    project.queue("a", "hands:work")
    run = project.run()
    run.says("a runs")
    base = keys.base("test", "a")
    (worker,) = project.eventually(lambda: project.ask("ZRANGE", keys.workers(base), 0, -1), "it joined")
    project.enqueue("a", {})
    project.sees("end")
    project.eventually(lambda: float(project.ask("ZSCORE", keys.workers(base), worker)), "its lease")
    time.sleep(0.5)  # at least one renewal: before the first nobody can tell a lost worker from a new one
    project.ask("HDEL", keys.turns(base), worker)
    project.enqueue("a", {})
    project.sees("end", 2)
    assert run.stop() == 0


def test_of_hundreds_of_jobs_under_a_rain_of_kills_each_is_completed_once(project):
    project.queue("a", "hands:work", processes=2, concurrency=10, max_crashes=100)
    ids = project.enqueue("a", *[{"seconds": 0.02}] * 600)
    run = project.run("--until-empty")
    for kills in range(1, 9):
        project.sees("begin", 50 * kills)
        for pid in run.children()[:1]:
            os.kill(pid, signal.SIGKILL)
    assert run.ends() == 0
    stats = project.stats("a")
    assert stats["completed"] == len(ids)
    assert {event.id for event in project.events("end")} == {*ids}
    assert stats.get("lost_leases", 0) == 0
    extra = len(project.events("begin")) - len(ids)
    assert extra <= 8 * 10 * 3  # what ran or had ended untold when its process was killed
