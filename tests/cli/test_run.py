"""`pipeline run`, `broker` and the live views as real processes, some of them on a real (pseudo) terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Shop = Any
PATIENCE = 20.0


class Process:
    """`pipeline WORDS` as a process; on a terminal its output is what the terminal got."""

    def __init__(self, shop: Shop, words: tuple[str, ...], *, terminal: bool) -> None:
        self.output = ""
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self._fd = ours
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *words],
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "PIPELINE_CONFIG": str(shop.file), "TERM": "xterm-256color", "COLUMNS": "120"},
            cwd=shop.root,
            start_new_session=True,
        )
        os.close(theirs)

    def says(self, text: str) -> None:
        """Wait until it has printed `text`."""
        self._read(lambda: text in self.output)
        assert text in self.output, self.output

    def types(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def ends(self) -> int:
        """Wait for its exit code."""
        self._read(lambda: False)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        os.close(self._fd)

    def _read(self, enough: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not enough() and time.monotonic() < until:
            if select.select([self._fd], [], [], 0.2)[0]:
                data = b""
                with contextlib.suppress(OSError):  # how Linux says that a terminal has no other end any more
                    data = os.read(self._fd, 65536)
                if not data:
                    return
                self.output += data.decode(errors="replace")


@pytest.fixture
def start(shop: Shop) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(*words: str, terminal: bool = False) -> Process:
        started.append(Process(shop, words, terminal=terminal))
        return started[-1]

    yield start
    for process in started:
        process.close()


Start = Callable[..., Process]


def test_a_run_until_empty_works_every_job_and_ends_with_0(shop: Shop, start: Start) -> None:
    shop.ok("enqueue", "emails", "welcome", "--from", "-", input='"ann"\n"bob"\n')
    run = start("run", "--until-empty", "--plain")
    assert run.ends() == 0, run.output
    jobs = shop.json("jobs", "list", "emails", "--state", "completed")
    assert [job["result"] for job in jobs] == [{"sent": "bob"}, {"sent": "ann"}]


def test_a_run_in_which_jobs_died_ends_with_1(shop: Shop, start: Start) -> None:
    shop.ok("enqueue", "payments", "capture", '"fail"')
    assert start("run", "--until-empty").ends() == 1
    (job,) = shop.json("dead", "list", "payments")
    assert job["error"] == {"type": "ValueError", "message": "no such\x1b[31m address"}


def test_status_shows_what_runs_and_ends_with_0(shop: Shop, start: Start) -> None:
    run = start("run", "--queues", "emails", "--json")
    run.says("emails")
    until = time.monotonic() + PATIENCE
    while (result := shop.call("status", "--json")).exit_code and time.monotonic() < until:
        time.sleep(0.05)
    told = json.loads(result.stdout)
    assert (result.exit_code, told["in_sync"], told["generation"]) == (0, True, 1)
    assert [pool["queue"] for pool in told["supervisors"][0]["pools"]] == ["emails"]
    assert told["supervisors"][0]["pid"] == run.process.pid


def test_log_lines_are_json_on_request(shop: Shop, start: Start) -> None:
    run = start("run", "--until-empty", "--json")
    assert run.ends() == 0
    lines = [json.loads(line) for line in run.output.splitlines()]
    assert {"at", "queue", "worker", "line"} <= lines[0].keys()


def test_a_queue_that_is_run_already_ends_with_13(shop: Shop, start: Start) -> None:
    first = start("run", "--plain")
    first.says("emails runs")
    second = start("run", "--plain")
    assert second.ends() == 13
    assert f"is run already, by process {first.process.pid}" in second.output


def test_a_handler_that_cannot_be_imported_ends_with_78(shop: Shop, start: Start) -> None:
    (shop.root / "handlers.py").write_text("import nothing_of_that_name\n")
    run = start("run", "--plain")
    assert run.ends() == 78
    assert "nothing_of_that_name" in run.output


def test_a_broker_that_is_away_ends_a_run_with_69(shop: Shop, start: Start) -> None:
    shop.file.write_text(shop.file.read_text().replace(shop.url, "unix:///nowhere/s"))
    run = start("run", "--plain")
    assert run.ends() == 69


def test_an_unknown_queue_is_a_usage_error(shop: Shop, start: Start) -> None:
    run = start("run", "--queues", "emial")
    assert run.ends() == 2
    assert "no queue 'emial'" in run.output


def test_a_terminal_gets_the_live_view_and_the_figures_at_the_end(shop: Shop, start: Start) -> None:
    shop.ok("enqueue", "payments", "capture", '"fail"')
    run = start("run", terminal=True)
    run.says("last failures")
    run.says("\\x1b[31m address")
    run.process.send_signal(signal.SIGINT)
    assert run.ends() == 0
    enter, leave = run.output.index("\x1b[?1049h"), run.output.rindex("\x1b[?1049l")
    assert enter < leave
    end = run.output[leave:]
    assert "pipeline dead list payments" in end
    assert "\x1b[31m address" not in run.output


def test_a_watch_ends_with_q_and_leaves_the_terminal_as_it_was(shop: Shop, start: Start) -> None:
    shop.publish()
    shop.ok("enqueue", "emails", "welcome", "1")
    watch = start("status", "--watch", terminal=True)
    watch.says("emails")
    watch.types("q")
    assert watch.ends() == 0
    assert watch.output.rindex("\x1b[?1049l") > watch.output.rindex("emails")
    assert watch.output.rindex("\x1b[?25h") > watch.output.rindex("\x1b[?25l")


def test_a_question_is_asked_on_a_terminal(shop: Shop, start: Start) -> None:
    shop.ok("enqueue", "emails", "welcome", "--from", "-", input="1\n2\n")
    purge = start("purge", "emails", terminal=True)
    purge.says("Delete 2 waiting jobs of emails? [y/N]:")
    purge.types("n\n")
    assert purge.ends() == 1
    assert "nothing was changed" in purge.output
    purge = start("purge", "emails", terminal=True)
    purge.says("[y/N]:")
    purge.types("y\n")
    assert purge.ends() == 0
    assert "emails: 2 waiting jobs deleted" in purge.output


def test_the_embedded_broker_runs_alone(shop: Shop, start: Start) -> None:
    shop.file.write_text(shop.file.read_text().replace(shop.url, "embedded"))
    broker = start("broker")
    broker.says("the broker listens at unix://")
    second = start("broker")
    assert second.ends() == 13
    shop.ok("enqueue", "emails", "welcome", "1")
    broker.process.send_signal(signal.SIGINT)
    assert broker.ends() == 0
    assert [job["id"] for job in shop.json("jobs", "list", "emails")] == ["1"]


def test_a_new_project_runs_at_once(shop: Shop, start: Start) -> None:
    folder = shop.root / "new"
    shop.ok("init", folder)
    shop.file = folder / "configs" / "dev.yaml"
    shop.ok("enqueue", "mails", "welcome", '{"to": "ann@example.com", "name": "Ann"}')
    assert start("run", "--until-empty").ends() == 0
    job = shop.json("jobs", "show", "mails", "1")
    assert (job["state"], job["result"]) == ("completed", {"sent": "Welcome, Ann!"})
    assert job["logs"] == ["to ann@example.com: Welcome, Ann!"]
