"""`--until-empty`: when it ends, and with which exit code."""

from __future__ import annotations


def test_it_waits_for_running_and_delayed_jobs(project):
    project.queue("a", "hands:work")
    project.enqueue("a", {"seconds": 0.5})
    project.enqueue("a", {}, delay="900ms")
    assert project.run("--until-empty").ends() == 0
    assert len(project.events("end")) == 2


def test_it_does_not_wait_for_a_paused_queue(project):
    project.queue("a", "hands:work", paused=True)
    project.enqueue("a", {})
    assert project.run("--until-empty").ends() == 0
    assert project.events("begin") == []


def test_it_ends_with_1_when_a_job_died_meanwhile(project):
    project.queue("a", "hands:fail")
    project.enqueue("a", {})
    assert project.run("--until-empty").ends() == 1
    assert list(project.dead("a").values()) == ["ValueError"]


def test_dead_jobs_of_an_earlier_run_do_not_count(project):
    project.queue("a", "hands:fail")
    project.enqueue("a", {})
    assert project.run("--until-empty").ends() == 1
    assert project.run("--until-empty").ends() == 0


def test_it_does_not_wait_for_what_a_fatal_pool_holds(project):
    (project.root / "deadly.py").write_text("import os\nos._exit(5)\n")
    project.queue("bad", "deadly:work")
    project.queue("good", "hands:work")
    project.enqueue("bad", {})
    project.enqueue("good", {})
    assert project.run("--until-empty").ends() == 1
    assert len(project.events("end")) == 1
