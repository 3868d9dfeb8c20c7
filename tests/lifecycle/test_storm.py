"""Many edits in a row: jobs that run meanwhile are not lost, not run twice, and not many processes are there at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

RELOADS = int(os.environ.get("PIPELINE_RELOADS", "20"))
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(120 + 3 * RELOADS)
def test_reloads_in_a_row_under_a_steady_load_lose_nothing_and_repeat_nothing():
    command = [sys.executable, "-m", "bench.reloads", "--reloads", str(RELOADS)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert (found["lost"], found["run_twice"], found["attempts_spent"]) == (0, 0, 0)
    assert found["jobs"] > 300 * RELOADS
    for kind, outcomes in found["outcomes"].items():
        assert list(outcomes) == ["rejected" if kind == "invalid" else "applied"], (kind, outcomes)
    used = found["saved_to_used_ms"]
    assert used["reload"]["median"] < 400
    assert used["watch"]["highest"] < 3_500
    if RELOADS >= 100:  # a few samples on a busy machine say nothing
        assert found["after_to_before_median"] >= 0.9


def rolling(number: int) -> str:
    return f"queues:\n  a: {{handler: 'hands:{('work', 'once_more')[number % 2]}', concurrency: 8}}\n"


def test_a_rolling_change_every_moment_keeps_two_generations_of_workers_and_the_newest(written):
    hands = written.root / "hands.py"
    hands.write_text(hands.read_text() + "\nonce_more = work\n")
    written.head = written.head.replace("10s", "10s, reload: {watch: false}")
    run = written.up(rolling(0))
    ids, most = [], 0
    commands = []
    begun = time.monotonic()
    for number in range(1, 21):
        ids += written.enqueue("a", {"seconds": 2.0})
        written.write(rolling(number))
        commands.append(written.begin("reload"))
        until = begun + number * 0.2
        while time.monotonic() < until:
            most = max(most, len(run.children()))
            time.sleep(0.01)
    while any(command.poll() is None for command in commands):
        most = max(most, len(run.children()))
        time.sleep(0.01)
    answers = [command.communicate() for command in commands]
    assert [command.returncode for command in commands] == [0] * 20, answers
    written.eventually(lambda: written.completed("a") == {*ids}, "every job is completed")
    assert max(Counter(event.id for event in written.events("begin")).values()) == 1
    assert written.stats("a").get("reruns", 0) == 0
    # Two generations that leave, the newest, and the one that is tried for the next.
    assert most <= 4
    assert run.stop() == 0


def test_processes_that_come_and_go_lose_nothing(written):
    written.head = written.head.replace("10s", "10s, reload: {watch: false}")
    keep = "defaults: {{retention: {{completed: {{count: 1000}}}}}}\n"
    text = keep + "queues:\n  a: {{handler: 'hands:work', concurrency: 2, processes: {}}}\n"
    run = written.up(text.format(1))
    ids = written.enqueue("a", *[{"seconds": 0.05}] * 150)
    for processes in (5, 1, 4, 2, 5, 1):
        assert written.reload(text.format(processes)).returncode == 0
    written.eventually(lambda: len(run.children()) == 1, "one is left")
    written.eventually(lambda: written.completed("a") == {*ids}, "every job is completed")
    assert len(written.events("begin")) == 150
    assert written.stats("a").get("reruns", 0) == 0
    assert run.stop() == 0
