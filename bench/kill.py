"""What a kill -9 costs: drains numbered jobs, kills the worker with all of its processes somewhere in the
middle, starts another, and counts the jobs that never ran and those that ran twice.

The handler writes each number with one write(2), which outlives the process. Time-outs for a dead worker
are shortened where that is a setting (SHORT).
"""

import os
import random
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench.adapters import tally
from bench.peer import Load, Peer
from bench.places import TALLY
from bench.server import Server
from bench.suite import Suite
from bench.workers import Workers, produce

LOAD = Load(100)

# Environment and arguments of the worker.
SHORT: dict[str, tuple[dict[str, str], list[str]]] = {
    "cauli": ({"CAULI_TIMEOUT": "5"}, ["--visibility-timeout", "8"]),
    "cauli-tuned": ({"CAULI_TIMEOUT": "5"}, ["--visibility-timeout", "8"]),
    "blitzq": ({"BLITZQ_VISIBILITY": "5"}, []),
    "blitzq-noresult": ({"BLITZQ_VISIBILITY": "5"}, []),
    "mayu-sync": ({}, ["--visibility-timeout", "5", "--heartbeat-interval", "1"]),
    "mayu-sync-p10": ({}, ["--visibility-timeout", "5", "--heartbeat-interval", "1"]),
    "ardiq": ({"ARDIQ_IDLE_TIMEOUT_MS": "5000"}, []),
    "ardiq-noresult": ({"ARDIQ_IDLE_TIMEOUT_MS": "5000"}, []),
    "tarsk": ({"TARSK_TIMEOUT": "5"}, ["--lease-grace", "1"]),
}


@dataclass(frozen=True)
class Kill:
    """`patience` is in seconds without a job, after which the rest counts as lost."""

    jobs: int
    patience: float

    def measure(self, suite: Suite, name: str, run: int) -> None:
        peer = _short(name, suite.peers[name])
        with Server():
            produce(peer, "ids", "lat", self.jobs)
            before = self._first(peer)
            killed = time.monotonic()
            after, complete = self._second(peer, before)
        ran = before + after
        config = f"n={self.jobs}, {LOAD}, killed after {len(before)}"
        suite.results.emit(name, "lost", self.jobs - len(set(ran)), "jobs", config, run)
        suite.results.emit(name, "ran_twice", len(ran) - len(set(ran)), "jobs", config, run)
        if complete:
            suite.results.emit(name, "recovered", complete - killed, "s", config, run)

    def _first(self, peer: Peer) -> list[str]:
        """Runs until some jobs ran, then dies: the numbers of those that ran."""
        mark, end = self.jobs * random.uniform(0.2, 0.6), time.monotonic() + 60
        with Workers(peer, LOAD) as workers:
            pids: list[int] = []
            while (count := tally.read(str(TALLY))[0]) < mark and time.monotonic() < end:
                if count and not pids:
                    pids = workers.pids()
                time.sleep(0.0005)
            time.sleep(random.uniform(0, 0.01))
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        return _ids()

    def _second(self, peer: Peer, before: list[str]) -> tuple[list[str], float | None]:
        """The numbers that ran in a second worker, and when the last that was missing ran."""
        with Workers(peer, LOAD):
            changed, seen = time.monotonic(), 0
            complete: float | None = None
            while time.monotonic() - changed < (3 if complete else self.patience):
                after = _ids()
                if len(after) != seen:
                    seen, changed = len(after), time.monotonic()
                if complete is None and len({*before, *after}) == self.jobs:
                    complete = changed
                time.sleep(0.05)
            return _ids(), complete


def _short(name: str, peer: Peer) -> Peer:
    env, arguments = SHORT.get(name, ({}, []))
    return replace(
        peer,
        env={**peer.env, "TALLY_IDS": "1", **env},
        command=lambda load: [command + arguments for command in peer.command(load)],
    )


def _ids() -> list[str]:
    return [id for path in Path(TALLY).glob("*.ids") for id in path.read_text().split()]
