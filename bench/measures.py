"""The measures of one peer in one run. README.md says what each value means."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench import proc
from bench.adapters import tally
from bench.peer import OURS, Load, Peer
from bench.places import TALLY, WORK
from bench.results import Results
from bench.server import Server
from bench.workers import Workers, produce

GROUPS = ("enqueue", "memory", "drain", "sleep", "latency")
WAITING = 20_000  # jobs of the memory measure
MANY = 1_000_000  # more than anybody enqueues in the time


@dataclass(frozen=True)
class Settings:
    """How much of it: `scale` multiplies every number of jobs, `samples` are those of latency in one run."""

    server: str = "redis"
    scale: float = 1.0
    samples: int = 1667
    groups: frozenset[str] = frozenset(GROUPS)

    def jobs(self, n: int) -> int:
        return max(100, round(n * self.scale / 100) * 100)


@cache
def empty(kind: str) -> int:
    """used_memory of a server without data; no other server may run meanwhile."""
    with Server(kind) as server:
        return server.used()


@dataclass
class Bench:
    """One peer in one run: call measure()."""

    name: str
    peer: Peer
    run: int
    results: Results
    settings: Settings

    def measure(self) -> None:
        if "enqueue" in self.settings.groups and self.peer.wants("enqueue"):
            self.enqueue()
        if "memory" in self.settings.groups and self.peer.wants("memory") and self.run == 1:
            self.memory()
        if "drain" in self.settings.groups:
            self.drains()
        if "sleep" in self.settings.groups and self.peer.sleep and self.peer.wants("sleep_10ms"):
            self.drain("sleep_10ms", "sleep", self.peer.sleep, self.settings.jobs(self.peer.sleep_jobs))
        if "latency" in self.settings.groups and self.peer.wants("latency"):
            self.latency()

    def emit(self, measure: str, value: float, unit: str, config: str, **more: object) -> None:
        self.results.emit(self.name, measure, value, unit, config, self.run, **more)

    def enqueue(self) -> None:
        """One producer: one by one, in batches of 100, and (ours) 50 coroutines on one client."""
        seconds = max(0.5, 3 * self.settings.scale)
        for mode, text in (
            ("single", "awaited one by one"),
            ("bulk", "batches of 100"),
            ("gather", "50 coroutines"),
        ):
            if mode == "gather" and self.peer.venv != OURS:
                continue
            with Server(self.settings.server):
                rate = produce(self.peer, mode, "noop", MANY, seconds)
            if rate.n:
                self.emit(f"enqueue_{mode}", rate.per_second, "jobs/s", f"n={rate.n}, {text}")

    def memory(self) -> None:
        """What a waiting job costs, on both servers."""
        n = WAITING  # whatever the scale: what a queue costs by itself would show among few
        for kind in ("redis", "valkey"):
            with Server(kind) as server:
                produce(self.peer, "single", "noop", 1)  # scripts, groups and the like
                base = server.used()
                produce(self.peer, "fill", "noop", n)
                self.emit(
                    f"waiting_{kind}",
                    (server.used() - base) / n,
                    "bytes",
                    f"n={n}, used_memory, {kind} {server.version()}",
                )

    def drains(self) -> None:
        n = self.settings.jobs(self.peer.jobs)
        for measure, load in (("low", self.peer.low), ("high", self.peer.high), ("2p", self.peer.pair)):
            if load and self.peer.wants(f"drain_{measure}"):
                self.drain(f"drain_{measure}", "noop", load, n)

    def drain(self, measure: str, kind: str, load: Load, n: int) -> None:
        """Jobs enqueued before: from the first start of a handler to the last end."""
        config = f"n={n}, {load}; {self.peer.note}"
        base = empty(self.settings.server)
        with (
            Server(self.settings.server, self.filled(kind, n)) as server,
            Workers(self.peer, load) as workers,
        ):
            spent = Spent(workers, server)
            count, first, last = workers.wait(n, 120, spent.begin)
            spent.end(count)
            rate = (count - 1) / ((last - first) / 1e9) if count > 1 else 0.0
            self.emit(measure, rate, "jobs/s", config, executed=count, complete=count == n)
            time.sleep(0.3)  # the last settlements, and what runs twice
            if (late := tally.read(str(TALLY))[0]) > n:
                self.emit("duplicates", late - n, "jobs", f"{measure}; {config}")
            if kind == "noop" and spent.jobs > n / 2:
                self.emit(
                    f"cpu_{measure}",
                    spent.seconds / spent.jobs * 1000,
                    "s/1000 jobs",
                    config,
                    **spent.parts(),
                )
            if measure == "drain_low" and count == n:
                self.emit(
                    "retained",
                    (server.used() - base) / n,
                    "bytes",
                    f"{config}; used_memory over an empty server",
                )

    def filled(self, kind: str, n: int) -> Path:
        """A snapshot that the peer's own producer filled, made once for all runs."""
        snapshot = WORK / "snapshots" / f"{self.name}-{kind}-{n}-{self.settings.server}"
        if not snapshot.exists():
            server = Server(self.settings.server)
            try:
                produce(self.peer, "fill", kind, n)
                server.snapshot(snapshot)
            finally:
                server.stop()
        return snapshot

    def latency(self) -> None:
        """Enqueue to the start of the handler on an idle worker; its memory, and its cold start."""
        with Server(self.settings.server):
            produce(self.peer, "single", "noop", 1)
            with Workers(self.peer, self.peer.low) as workers:
                config = f"{self.peer.low}, idle; {self.peer.note}"
                count, first, _ = workers.wait(1, 20)
                if not count:
                    raise RuntimeError("the worker ran nothing in 20 s")
                self.emit(
                    "cold_start",
                    (first - workers.started_ns) / 1e9,
                    "s",
                    "start of the worker to its first job",
                )
                time.sleep(1.0)
                self.memory_of(workers, config)
                produce(self.peer, "lat", "lat", self.settings.samples, 60)
                self.percentiles(config)

    def memory_of(self, workers: Workers, config: str) -> None:
        pids = workers.working()
        mib = 2**20
        self.emit(
            "idle_memory",
            sum(map(proc.resident, pids)) / mib,
            "MB",
            config,
            processes=len(pids),
            proportional=round(sum(map(proc.proportional, pids)) / mib, 1),
            supervisor=round(sum(map(proc.resident, workers.apart())) / mib, 1),
        )

    def percentiles(self, config: str) -> None:
        ms = sorted(ns / 1e6 for ns in tally.samples(str(TALLY)))
        if not ms:
            raise RuntimeError("no latency sample arrived")
        self.emit("latency_p50", statistics.median(ms), "ms", f"n={len(ms)}; {config}")
        self.emit("latency_p99", ms[min(len(ms) - 1, int(len(ms) * 0.99))], "ms", f"n={len(ms)}; {config}")


class Spent:
    """CPU of workers, server and supervisor between two moments of a drain."""

    def __init__(self, workers: Workers, server: Server) -> None:
        self._workers, self._server = workers, server
        self._from: tuple[int, dict[str, float]] = (0, {})
        self._cost: dict[str, float] = {}
        self.jobs = 0

    def begin(self, count: int) -> None:
        self._from = count, self._now()

    def end(self, count: int) -> None:
        before, at = self._from
        self._cost = {part: seconds - at.get(part, 0.0) for part, seconds in self._now().items()}
        self.jobs = count - before if at else 0

    def _now(self) -> dict[str, float]:
        parts: dict[str, Callable[[], list[int]]] = {
            "worker": self._workers.working,
            "server": lambda: [self._server.process.pid],
            "supervisor": self._workers.apart,
        }
        return {part: sum(map(proc.cpu, pids())) for part, pids in parts.items()}

    @property
    def seconds(self) -> float:
        """Of the workers and the server."""
        return self._cost["worker"] + self._cost["server"]

    def parts(self) -> dict[str, float]:
        """Seconds a 1,000 jobs, each part apart."""
        return {part: round(seconds / self.jobs * 1000, 4) for part, seconds in self._cost.items()}
