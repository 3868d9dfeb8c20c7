"""Schedules under real supervisors: one job a tick, whoever is alive; paused, changed and removed while they run."""

from __future__ import annotations

import json
import shutil

import pytest

from pipeline.broker import parse
from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.schedules import Schedules
from tests.lifecycle.conftest import Written, make

QUEUE = "queues:\n  a: {handler: 'hands:work', retention: {completed: {count: 1000}}}\n"
TICK = "  beat: {queue: a, job: job, every: 200ms, catch_up: all, data: {}}\n"


@pytest.fixture
def other(written):
    """The same project on another host: a root of its own, the same broker."""
    for second in make(written.url, Written):
        shutil.copy(written.root / "hands.py", second.root / "hands.py")
        yield second


def standing(project):
    connection = connect_blocking(parse(project.url))
    try:
        return run_blocking(connection, Schedules("test", "a").standing())
    finally:
        connection.close()


def ticks(project):
    """The ticks that have jobs, in order."""
    ids = project.ask("HKEYS", keys.jobs(keys.base("test", "a")))
    return sorted(int(id.decode().partition(":")[2]) for id in ids)


def test_each_tick_is_one_job_over_two_supervisors_and_their_deaths(written, other):
    text = f"{QUEUE}schedules:\n{TICK}"
    first = written.up(text)
    other.write(text)
    second = other.run()
    written.eventually(lambda: len(written.records()) == 2 and written.pools_run(), "both run")
    count = len(ticks(written))
    written.eventually(lambda: len(ticks(written)) >= count + 5, "they fire")
    written.kill(first.pid)
    count = len(ticks(written))
    written.eventually(lambda: len(ticks(written)) >= count + 5, "the other one goes on")
    other.kill(second.pid)
    third = written.run()
    count = len(ticks(written))
    written.eventually(lambda: len(ticks(written)) >= count + 5, "the next one catches up")
    assert third.stop() == 0
    found, came = ticks(written), standing(written)["beat"]
    assert found == list(range(found[0], found[-1] + 1, 200)), "none left out"
    assert (came.after, came.fired, came.skipped, came.missed) == (found[-1], len(found), 0, 0)
    assert written.stats("a")["own"] == len(found), "one a tick"


def test_a_person_pauses_it_and_an_edit_of_the_file_removes_it(written):
    run = written.up(f"{QUEUE}schedules:\n{TICK}")
    written.sees("begin")
    assert written.pipeline("schedules", "pause", "beat").returncode == 0
    [shown] = json.loads(written.pipeline("schedules", "list", "--json").stdout)
    assert shown["paused"]
    fired = shown["fired_total"]
    assert written.pipeline("schedules", "run", "beat").stdout.startswith("beat:run:")
    written.eventually(
        lambda: any(":run:" in event.id for event in written.events("begin")), "it runs out of turn"
    )
    assert standing(written)["beat"].fired == fired
    assert written.pipeline("schedules", "resume", "beat").returncode == 0
    written.eventually(lambda: standing(written)["beat"].fired > fired, "it goes on")
    assert standing(written)["beat"].missed == 0
    told = written.reload(QUEUE)
    assert told.returncode == 0, told.stderr
    assert standing(written) == {}
    assert run.stop() == 0


def test_nothing_fires_until_empty(written):
    written.write(f"{QUEUE}schedules:\n  beat: {{queue: a, job: job, every: 100ms, data: {{}}}}\n")
    assert written.pipeline("enqueue", "a", "job", '{"seconds": 0.4}').returncode == 0
    run = written.run("--until-empty")
    assert run.ends() == 0
    assert len(written.events("begin")) == 1
