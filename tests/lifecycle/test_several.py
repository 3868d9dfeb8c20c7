"""Several supervisors of one project, with files that are not the same."""

from __future__ import annotations

import shutil

import pytest

from tests.lifecycle.conftest import Written, make


def one(concurrency: int, more: str = "") -> str:
    return f"queues:\n  a: {{handler: 'hands:work', concurrency: {concurrency}{more}}}\n"


@pytest.fixture
def other(written):
    """The same project on another host: a root of its own, the same broker."""
    for second in make(written.url, Written):
        shutil.copy(written.root / "hands.py", second.root / "hands.py")
        yield second


def standing(written, run):
    return next((one for one in written.records() if one.pid == run.pid), None)


def test_in_a_rolling_deploy_the_old_file_is_behind_and_publishes_nothing(written, other):
    old = written.up(one(1, ", retention: {completed: {count: 5}}"))
    other.write(one(3, ", retention: {completed: {count: 7}}"))
    new = other.run()
    written.eventually(lambda: (found := standing(written, old)) and found.state == "behind", "it is behind")
    written.eventually(lambda: (found := standing(written, new)) and found.state == "ready", "it is ready")
    assert (written.generation(), written.policy("a").completed.count) == (2, 7)
    # The old one is restarted with the old file, and still does not publish it.
    assert old.stop() == 0
    again = written.run()
    written.eventually(
        lambda: (found := standing(written, again)) and found.state == "behind", "behind again"
    )
    assert (written.generation(), written.policy("a").completed.count) == (2, 7)
    # Its own file catches up: the same content is the same generation.
    assert written.reload(one(3, ", retention: {completed: {count: 7}}")).returncode == 0
    written.eventually(lambda: (found := standing(written, again)) and found.state == "ready", "caught up")
    assert written.generation() == 2
    assert (again.stop(), new.stop()) == (0, 0)


def test_retention_of_a_shared_queue_is_that_of_the_newest_file_everywhere(written, other):
    old = written.up(one(1, ", retention: {completed: {count: 5}}"))
    other.write(one(1, ", retention: {completed: {count: 50}}"))
    new = other.run()
    written.eventually(lambda: (found := standing(written, old)) and found.state == "behind", "it is behind")
    assert new.stop() == 0
    old.says("a newer file runs elsewhere")
    written.enqueue("a", *[{}] * 40)
    written.sees("end", 40)
    written.eventually(lambda: written.stats("a").get("completed", 0) == 40, "all are settled")
    assert len(written.completed("a")) == 40
    assert old.stop() == 0


def test_a_queue_that_an_older_supervisor_still_runs_is_not_closed(written, other):
    both = one(1) + "  b: {handler: 'hands:work'}\n"
    old = written.up(both)
    other.write(one(1))
    new = other.run()
    written.eventually(lambda: (found := standing(written, new)) and found.state == "ready", "it is ready")
    written.enqueue("b", {})
    written.sees("end")
    assert old.stop() == 0
    new.says("b is not in the file any more")
    refused = other.pipeline("enqueue", "b", "job", "{}")
    assert refused.returncode == 1
    assert "removed from the file" in refused.stderr
    assert new.stop() == 0


def test_two_supervisors_of_one_root_go_over_together(written):
    text = one(1) + "  b: {handler: 'hands:work'}\n"
    written.write(text)
    runs = [written.run("--queues", queue) for queue in "ab"]
    written.eventually(lambda: len(written.records()) == 2 and written.pools_run(), "both run")
    told = written.reload(text.replace("concurrency: 1", "concurrency: 6"))
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("generation 2") == 2
    assert written.generation() == 2
    told = written.pipeline("rollback")
    assert told.stdout.count("generation 3") == 2
    assert written.policy("a").concurrency == 1
    assert [run.stop() for run in runs] == [0, 0]


def test_restart_of_a_queue_asks_whoever_runs_it(written):
    text = one(1) + "  b: {handler: 'hands:work'}\n"
    written.write(text)
    runs = [written.run("--queues", queue) for queue in "ab"]
    written.eventually(lambda: len(written.records()) == 2 and written.pools_run(), "both run")
    before = [set(run.children()) for run in runs]
    assert written.pipeline("restart", "b").returncode == 0
    written.eventually(lambda: not before[1] & set(runs[1].children()), "b has a new worker")
    assert set(runs[0].children()) == before[0]
    assert "no queue 'c'" in written.pipeline("restart", "c").stderr
    assert [run.stop() for run in runs] == [0, 0]


def test_a_named_queue_that_leaves_the_file_is_drained_and_the_other_goes_on(written):
    text = one(1) + "  b: {handler: 'hands:work'}\n"
    written.write(text)
    run = written.run("--queues", "a,b")
    written.eventually(written.pools_run, "both run")
    told = written.reload(one(1))
    assert told.returncode == 0, told.stderr
    written.eventually(lambda: len(run.children()) == 1, "b's worker has left")
    assert run.stop() == 0
