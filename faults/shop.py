"""A project as a user has it: a file, handlers, and `pipeline run`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from faults import events
from faults.processes import PATIENCE, children_of, command_of, eventually

NAME = "shop"
HANDS = Path(__file__).parent / "hands.py"
PIPELINE = [sys.executable, "-m", "pipeline"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
"""A case finds its own file and broker, not the caller's."""
AS_HOST = """
import socket, sys
socket.gethostname = lambda: {host!r}
from pipeline.cli import main
main()
"""
WORK = "queues:\n  work: {handler: 'hands:work', processes: 2, concurrency: 10}\n"
HEAD = """\
name: {name}
broker: {{url: "{url}", durability: {durability}}}
supervisor:
  stop_timeout: {stop_timeout}
  lease: {lease}
  restart: {{delay: 50ms, max: 1s, give_up_after: 20}}
  reload: {{watch: {watch}}}
defaults:
  retention: {{completed: {{count: 10000000, age: 7d}}, dead: {{count: 10000000, age: 7d}}}}
"""


class Supervisor:
    """`pipeline run`, and what it printed."""

    def __init__(self, command: list[str], root: Path, environment: dict[str, str]) -> None:
        self._output = root / f"output-{time.monotonic_ns()}"
        with self._output.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                cwd=root,
                env={**CLEAN, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.pid = self.process.pid

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def says(self, text: str, times: int = 1, seconds: float = PATIENCE) -> None:
        """Wait until it has printed `text` so often. Raises TooLate, or RuntimeError when it ended before."""
        eventually(lambda: self.output.count(text) >= times or not self.runs, f"it says {text!r}", seconds)
        if self.output.count(text) < times:
            raise RuntimeError(f"pipeline run ended with {self.process.poll()}:\n{self.output[-2000:]}")

    def workers(self) -> list[int]:
        """Its worker processes that run now."""
        return [pid for pid in children_of(self.pid) if "pipeline.worker" in command_of(pid)]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        self.process.send_signal(number)

    def ends(self, seconds: float = PATIENCE) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        return self.process.wait(seconds)


class Shop:
    """A project in `root` on the broker at `url`. What its handlers write is read by `events`.

    `host` makes its supervisors take themselves for another host than this one.
    """

    def __init__(self, root: Path, url: str, *, log: Path | None = None, host: str = "") -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.url, self.host = root, url, host
        self.file = root / "pipeline.yaml"
        self.log = log or root / "events"
        self.settings = {"lease": "5s", "stop_timeout": "5s", "watch": "false", "durability": "everysec"}
        self.before: list[str] = []
        """A program that starts ours, as another user or with less than we may have."""
        self.supervisors: list[Supervisor] = []
        shutil.copy(HANDS, root / "hands.py")

    def write(self, text: str = WORK, **settings: str) -> None:
        """Write the file in one step: a head with these settings, and `text` below it."""
        draft = self.root / "draft"
        draft.write_text(self.text(text, **settings))
        draft.replace(self.file)

    def text(self, queues: str, **settings: str) -> str:
        """What `write` writes."""
        return HEAD.format(name=NAME, url=self.url, **{**self.settings, **settings}) + queues

    def start(self, *options: str) -> Supervisor:
        """`pipeline run`; it may not be ready yet."""
        as_host = [sys.executable, "-c", AS_HOST.format(host=self.host)]
        ours = as_host if self.host else PIPELINE
        command = [*self.before, *ours, "run", str(self.file), "--plain", *options]
        self.supervisors.append(Supervisor(command, self.root, {"FAULTS_EVENTS": str(self.log)}))
        return self.supervisors[-1]

    def up(self, *options: str) -> Supervisor:
        """`pipeline run`, once its pools run."""
        supervisor = self.start(*options)
        supervisor.says(" runs")
        return supervisor

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What a command prints and returns."""
        command = [*self.before, *PIPELINE, "--config", str(self.file), *arguments]
        return subprocess.run(
            command, cwd=self.root, env=CLEAN, capture_output=True, text=True, timeout=60, check=False
        )

    def status(self) -> dict[str, Any]:
        """What `pipeline status --json` tells. Raises ValueError when that is no JSON."""
        return dict(json.loads(self.command("status", "--json").stdout))

    def events(self) -> list[events.Event]:
        """What handlers wrote so far."""
        return events.read(self.log)
