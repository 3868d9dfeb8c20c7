"""What the bars need beside the peers: what a client can reach at most, and what only ours is asked for."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bench.measures import Settings
from bench.ours import Project, pipeline
from bench.peer import HUNDRED, Peer
from bench.peers import OURS
from bench.places import ADAPTERS, PORT
from bench.results import Results
from bench.server import Server
from bench.workers import Workers, environment, produce

GROUPS = ("first_job", "million", "floor")
MILLION = 1_000_000
FEW = 20_000
CANCELS = 5
EMBEDDED = Project("ours-embedded", broker="embedded")


PAYLOAD = {"to": "user@example.com", "orderId": 1234567}


@dataclass(frozen=True)
class Extras:
    """One run of them: call measure()."""

    run: int
    results: Results
    settings: Settings

    def measure(self, group: str) -> None:
        {"floor": self.floor, "first_job": self.first_job, "million": self.million}[group]()

    def emit(self, measure: str, value: float, unit: str, config: str, **more: object) -> None:
        self.results.emit("ours", measure, value, unit, config, self.run, **more)

    def floor(self) -> None:
        """A bare EVALSHA loop, and redis-py's pool under 50 coroutines: see adapters/floor.py."""
        seconds = 3 * self.settings.scale
        command = [sys.executable, str(ADAPTERS / "floor.py"), str(PORT), str(seconds)]
        with Server(self.settings.server):
            out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=120).stdout
        for line in map(json.loads, out.splitlines()):
            rate, config = line["n"] / line["seconds"], f"n={line['n']}, return 1"
            self.results.emit("floor", line["measure"], rate, "calls/s", config, self.run)

    def first_job(self) -> None:
        """`pipeline run` with the embedded broker: from its start to a job that waited in its file."""
        peer = _embedded()
        EMBEDDED.write(peer.low)
        _user(peer, "enqueue", "bench", "noop", json.dumps(PAYLOAD))
        with Workers(peer, peer.low) as workers:
            count, first, _ = workers.wait(1, 20)
            if not count:
                raise RuntimeError("pipeline run ran nothing in 20 s")
            self.emit("first_job", (first - workers.started_ns) / 1e9, "s", "embedded broker, one job waits")
            _stop(workers)

    def million(self) -> None:
        """A million waiting jobs: the drain rate beside that of few, and cancels in the middle."""
        many = self.settings.jobs(MILLION)
        for _ in range(3):
            with self.waiting(FEW):
                self.drain("drain_few", FEW)
        with Server(self.settings.server) as empty:
            base = empty.used()
        with self.waiting(many) as server:
            self.emit("million_memory", (server.used() - base) / many, "bytes", f"n={many}, used_memory")
            self.cancel(server, many)
            self.drain("drain_million", many - CANCELS)

    @contextmanager
    def waiting(self, n: int) -> Iterator[Server]:
        with Server(self.settings.server) as server:
            produce(OURS["ours"], "fill", "noop", n)
            yield server

    def drain(self, measure: str, n: int) -> None:
        with Workers(OURS["ours"], HUNDRED) as workers:
            count, first, last = workers.wait(n, 300)
        rate = (count - 1) / ((last - first) / 1e9) if count > 1 else 0.0
        self.emit(measure, rate, "jobs/s", f"n={n}, {HUNDRED}", executed=count, complete=count == n)

    def cancel(self, server: Server, n: int) -> None:
        """The slowest command that the server ran for some `jobs cancel`, as its slow log tells it."""
        server.client.config_set("slowlog-max-len", 1024)
        took = []
        for id in range(n // 2, n // 2 + CANCELS):
            server.client.config_set("slowlog-log-slower-than", 0)
            server.client.slowlog_reset()
            _user(OURS["ours"], "jobs", "cancel", "bench", str(id))
            server.client.config_set("slowlog-log-slower-than", -1)
            took += [entry["duration"] / 1000 for entry in server.client.slowlog_get(1024) if _of_user(entry)]
        self.emit(
            "cancel", max(took), "ms", f"{CANCELS} jobs amid {n}, the slowest command", commands=len(took)
        )


def _of_user(entry: dict[str, Any]) -> bool:
    return not entry["command"].startswith((b"CONFIG SET slowlog", b"SLOWLOG"))


def _embedded() -> Peer:
    env = {"BENCH_CONFIG": str(EMBEDDED.config)}
    return replace(OURS["ours"], command=EMBEDDED.run, prepare=EMBEDDED.write, env=env)


def _user(peer: Peer, *args: str) -> None:
    """One command of a user of the project."""
    env = {**environment(peer, peer.low), "PIPELINE_CONFIG": peer.env["BENCH_CONFIG"]}
    subprocess.run(pipeline(*args), env=env, check=True, stdout=subprocess.DEVNULL)


def _stop(workers: Workers) -> None:
    """As a user stops it, so that the embedded server closes its file."""
    for root in workers.roots:
        os.kill(root.pid, signal.SIGTERM)
        root.wait(30)
