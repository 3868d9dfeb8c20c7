"""`executor: process` under a supervisor: nothing is left of a worker that is gone."""

from __future__ import annotations

import os
import signal


def test_a_killed_worker_takes_the_processes_of_its_slots_along_and_its_jobs_run_again(project):
    project.queue("a", "hands:once_slow", executor="process", concurrency=2)
    run = project.run()
    ids = project.enqueue("a", {}, {})
    begun = project.sees("begin", 2)
    (worker,) = (pid for pid in run.children() if project.children_of(pid))
    assert {event.pid for event in begun} <= set(project.children_of(worker))
    os.kill(worker, signal.SIGKILL)
    for event in begun:
        project.eventually(lambda event=event: project.is_gone(event.pid), "it is gone, too")
    assert {event.id for event in project.sees("end", 2)} == set(ids)
    assert run.stop() == 0


def test_handlers_that_a_process_cannot_load_stop_the_boot_with_78_and_the_reason(project):
    project.queue("bad", "nowhere:work", executor="process", concurrency=2)
    run = project.run()
    assert run.ends() == 78
    assert "no module named 'nowhere'" in run.output
