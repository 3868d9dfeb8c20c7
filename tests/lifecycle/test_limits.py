"""Time limits that only a new process can keep."""

from __future__ import annotations

from msgspec.structs import replace


def test_a_thread_past_its_limit_fails_its_job_and_the_process_is_replaced_once_the_neighbours_ended(project):
    project.queue("a", "hands:block", hard=1500, concurrency=2)
    run = project.run()
    slow, neighbour = project.enqueue("a", {"seconds": 30}, {"seconds": 0})
    project.sees("end")
    late = project.enqueue("a", {"seconds": 1})[0]
    run.says("a.1 is replaced")
    project.eventually(lambda: project.dead("a") == {slow: "TimeoutError"}, "the slow one is dead")
    project.eventually(lambda: {neighbour, late} <= project.completed("a"), "the neighbours ended")
    (last,) = project.enqueue("a", {"seconds": 0})
    project.eventually(lambda: last in project.completed("a"), "the new process works")
    assert len({event.pid for event in project.events("begin")}) == 2
    assert len(project.events("begin")) == 4
    assert run.stop() == 0


def test_a_handler_that_refuses_to_be_cancelled_costs_its_process_and_no_neighbour_an_attempt(project):
    (project.root / "mixed.py").write_text(
        "import hands\nasync def go(job):\n"
        "    await (hands.stubborn if job.data['stubborn'] else hands.once_slow)(job)\n"
    )
    project.rules = replace(project.rules, stop_timeout=500)
    project.queue("a", "mixed:go", concurrency=2, hard=200)
    (id,) = project.enqueue("a", {"stubborn": True})
    run = project.run()
    project.eventually(lambda: project.dead("a"), "the job is dead")
    run.says("a.1 is replaced")
    project.enqueue("a", {"stubborn": False})
    assert project.dead("a") == {id: "TimeoutError"}
    assert run.stop() == 0


def test_the_neighbours_of_a_job_that_blocks_the_loop_run_again_and_are_not_blamed(project):
    (project.root / "mixed.py").write_text(
        "import hands\nasync def go(job):\n"
        "    await (hands.stall if job.data['stall'] else hands.once_slow)(job)\n"
    )
    project.queue("a", "mixed:go", concurrency=2, max_crashes=1)
    neighbour = project.enqueue("a", {"stall": False})[0]
    run = project.run()
    project.sees("begin")
    (stalled,) = project.enqueue("a", {"stall": True}, timeout="200ms")
    run.says("is killed: job")
    project.sees("end")
    project.eventually(lambda: project.dead("a") == {stalled: "TimeoutError"}, "only the stalled one is dead")
    project.eventually(lambda: project.completed("a") == {neighbour}, "its neighbour is completed")
    assert project.stats("a")["reruns"] == 1
    assert run.stop() == 0
