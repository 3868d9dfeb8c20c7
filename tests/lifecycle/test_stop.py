"""How a supervisor stops: drain, release, kill."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import termios

from msgspec.structs import replace

from tests.lifecycle.conftest import PIPELINE


def test_sigterm_lets_running_jobs_end_and_leaves_the_rest_waiting(project):
    project.queue("a", "hands:work", concurrency=1)
    ids = project.enqueue("a", {"seconds": 0.5}, {"seconds": 0.5})
    run = project.run()
    project.sees("begin")
    assert run.stop() == 0
    assert project.completed("a") == {ids[0]}
    assert len(project.events("begin")) == 1


def test_sigterm_is_sent_again_by_many_and_changes_nothing(project):
    project.queue("a", "hands:work")
    project.enqueue("a", {"seconds": 0.7})
    run = project.run()
    project.sees("begin")
    for _ in range(5):
        run.signal(signal.SIGTERM)
    assert run.ends() == 0
    assert len(project.events("end")) == 1


def test_what_does_not_end_in_time_is_released_and_costs_no_attempt(project):
    project.rules = replace(project.rules, stop_timeout=300)
    project.queue("a", "hands:once_slow")
    project.enqueue("a", {})
    run = project.run()
    project.sees("begin")
    assert run.stop() == 0
    assert project.run("--until-empty").ends() == 0
    assert [event.attempt for event in project.events("begin")] == [1, 1]
    assert project.stats("a").get("failed", 0) == 0


def test_a_thread_that_does_not_end_is_left_behind_and_its_job_runs_again(project):
    project.rules = replace(project.rules, stop_timeout=200)
    project.queue("a", "hands:block")
    (id,) = project.enqueue("a", {"seconds": 60})
    run = project.run()
    project.sees("begin")
    assert run.stop() == 0
    assert project.stats("a").get("completed", 0) == 0
    again = project.run()
    assert [event.id for event in project.sees("begin", 2)] == [id, id]
    again.signal(signal.SIGKILL)


def test_a_second_ctrl_c_releases_at_once_and_ends_with_130(project):
    project.queue("a", "hands:once_slow")
    project.enqueue("a", {})
    run = project.run()
    project.sees("begin")
    run.signal(signal.SIGINT)
    run.says("once more (Ctrl-C) releases")
    run.signal(signal.SIGINT)
    assert run.ends() == 130
    assert project.run("--until-empty").ends() == 0
    assert [event.attempt for event in project.events("begin")] == [1, 1]


def test_a_third_ctrl_c_kills_and_the_jobs_are_not_blamed(project):
    project.queue("a", "hands:stubborn", max_crashes=1)
    project.enqueue("a", {})
    run = project.run()
    (event,) = project.sees("begin")
    for text in ("once more (Ctrl-C) releases", "kills the workers"):
        run.signal(signal.SIGINT)
        run.says(text)
    run.signal(signal.SIGINT)
    assert run.ends() == 130
    assert project.is_gone(event.pid)
    assert project.dead("a") == {}


def test_tstp_takes_no_new_jobs_and_cont_goes_on(project):
    project.queue("a", "hands:work")
    run = project.run()
    run.says("a runs")
    run.signal(signal.SIGTSTP)
    run.says("quiet")
    project.enqueue("a", {})
    run.signal(signal.SIGCONT)
    project.sees("end")
    assert run.stop() == 0


def test_usr1_shows_what_everything_is_doing(project):
    project.queue("a", "hands:work")
    project.enqueue("a", {"seconds": 1})
    run = project.run()
    project.sees("begin")
    run.signal(signal.SIGUSR1)
    run.says("a.1        | Current thread")
    assert "supervisor | Current thread" in run.output
    project.sees("end")
    assert run.stop() == 0


def test_nothing_is_left_of_a_supervisor_that_stopped(embedded):
    embedded.queue("a", "hands:work", processes=2)
    run = embedded.run()
    run.says("a runs")
    children = run.children()
    assert len(children) == 3
    assert run.stop() == 0
    assert all(embedded.is_gone(pid) for pid in children)
    assert not (embedded.root / ".pipeline" / "supervisor.json").exists()
    assert not (embedded.root / ".pipeline" / "broker.sock").exists()


def test_a_closed_terminal_stops_the_supervisor(written):
    text = "queues:\n  a: {handler: 'hands:work'}\n"
    written.write(text)
    leader, follower = pty.openpty()
    command = [*PIPELINE, "run", str(written.file), "--plain"]
    with (written.root / "log").open("wb") as log:
        supervisor = subprocess.Popen(
            command,
            stdin=follower,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509
        )
    os.close(follower)
    written.eventually(written.pools_run, "it runs")
    os.close(leader)
    assert supervisor.wait(10) == 0
    assert "the terminal was closed" in (written.root / "log").read_text()


def take_terminal() -> None:
    """Make standard input the terminal of this session, as a shell in a window does."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
