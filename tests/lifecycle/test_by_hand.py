"""What a person sees and changes while it runs, whatever became of the file meanwhile."""

from __future__ import annotations

import json
import re
import signal
import time

from pipeline import Client
from pipeline.errors import QueueRemoved
from tests.lifecycle.conftest import Written

ONE = "queues:\n  a: {handler: 'hands:work', processes: 1}\n"
TWO = f"{ONE}  b: {{handler: 'hands:work'}}\n"
BROKEN = "queues:\n  a: {handler: 'hands:work', proceses: 1}\n"


def status(written: Written) -> dict[str, object]:
    """What `status --json` prints while a supervisor runs."""
    told = written.pipeline("status", "--json")
    assert told.returncode == 0, told.stderr
    found: dict[str, object] = json.loads(told.stdout)
    return found


def is_stale(written: Written) -> bool:
    return [one.state for one in written.records()] == ["stale"]


def test_status_shows_what_runs_while_the_file_is_broken_and_which_mistake_it_has(written: Written) -> None:
    run = written.up(ONE)
    written.write(BROKEN)
    at_once = status(written)
    assert at_once["in_sync"] is False
    assert "unknown key 'proceses'" in str(at_once["file_error"])
    written.eventually(lambda: is_stale(written), "the supervisor has noticed")
    shown = written.pipeline("status").stdout
    assert "STALE" in shown.split("\n")[0]
    assert re.search(r"! STALE: .*p.yaml:\d+:\d+: error\[P101\]: unknown key 'proceses'", shown)
    written.write(ONE)
    written.eventually(lambda: status(written)["in_sync"], "in sync again")
    assert run.stop() == 0
    written.write(BROKEN)
    assert "unknown key" in written.pipeline("status").stderr


def test_queues_are_paused_and_scaled_while_the_file_is_broken(written: Written) -> None:
    run = written.up(ONE)
    written.write(BROKEN)
    assert written.pipeline("pause", "a").returncode == 0
    (id,) = written.enqueue("a", {})
    assert written.pipeline("scale", "a", "3").returncode == 0
    written.eventually(lambda: len(run.children()) == 3, "three workers run")
    assert written.pipeline("reset", "a").stdout.count("no longer") == 2
    written.eventually(lambda: id in written.completed("a"), "the queue goes on")
    written.eventually(lambda: len(run.children()) == 1, "one worker runs")
    assert run.stop() == 0


def test_status_answers_beside_a_supervisor_that_stands_still(written: Written) -> None:
    run = written.up(ONE)
    run.signal(signal.SIGSTOP)
    began = time.monotonic()
    written.pipeline("status")
    assert time.monotonic() - began < 10
    run.signal(signal.SIGCONT)
    assert run.stop() == 0


def test_a_pause_and_a_scale_end_by_themselves_and_waiting_jobs_run(written: Written) -> None:
    run = written.up(ONE)
    assert written.pipeline("scale", "a", "2", "--for", "2s").returncode == 0
    assert written.pipeline("pause", "a", "--for", "2s").returncode == 0
    (id,) = written.enqueue("a", {})
    written.eventually(lambda: len(run.children()) == 2, "two workers run")
    assert not written.completed("a")
    written.eventually(lambda: id in written.completed("a"), "the pause has ended")
    written.eventually(lambda: len(run.children()) == 1, "one worker runs")
    assert run.stop() == 0


def test_a_removed_queue_refuses_new_jobs_keeps_the_others_and_runs_them_when_it_is_put_back(
    written: Written,
) -> None:
    run = written.up(TWO)
    assert written.pipeline("pause", "b").returncode == 0
    ids = written.enqueue("b", {}, {})
    assert written.reload(ONE).returncode == 0

    def refused() -> bool:
        with Client(written.file) as client:
            try:
                ids.append(client.enqueue("b", "job", {}).id)
            except QueueRemoved:
                return True
        return False

    written.eventually(refused, "the queue is closed")
    queue = status(written)["queues"]["b"]  # type: ignore[index]
    assert (queue["in_file"], queue["removed"], queue["waiting"]) == (False, True, len(ids))
    assert f"not in the file, {len(ids)} waiting" in written.pipeline("status").stdout
    assert written.reload(TWO).returncode == 0
    assert written.pipeline("resume", "b").returncode == 0
    written.eventually(lambda: set(ids) == written.completed("b"), "what waited has run")
    assert run.stop() == 0
