"""A million waiting jobs: what they cost in memory, and that they slow no enqueue and no turn down.

A full server and an empty one stand side by side and are measured in turns, a few calls each, so that whatever else
the machine does meets both. The server's own time is what its statistics say of the same calls. Before that both are
warmed up: a hash table that grew a moment ago is still moving its entries with every write. What growing costs is told
by the time of the filling.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.bars.verdict import Given, Verdict, say
from faults.broker import Broker
from faults.processes import eventually
from faults.shop import NAME
from pipeline.clock import now_ms
from pipeline.job import encode_record
from pipeline.store.call import run_blocking
from pipeline.store.store import Store

ROUNDS, WARM_UP = 100, 50
JOBS = 1_000_000
PAYLOAD = 200
CHUNK, BATCH, TAKEN = 1000, 100, 10
SINGLES, BATCHES, TURNS = 300, 20, 150
"""Calls of each kind that one server gets before it is the other's turn; before them come a tenth that do not count."""
MEMORY_LIMIT, LIMIT = 300.0, 1.2
WORKER, LEASE_MS = "bar", 86_400_000


class Side:
    """A server with a queue, and a connection of a producer and worker to it. `ours` and `server` are the times of
    calls in µs, by kind: each call as the caller saw it, and the mean of each stretch as the server says."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.broker = Broker(folder, auto_aof_rewrite_percentage="0")
        self.broker.start()
        self._connection = self.broker.connect()
        self._store = Store(NAME, "work")
        self._calls, self._turns = itertools.count(1), itertools.count(1)
        self._held: tuple[int, list[bytes]] = (0, [])
        self.ours: defaultdict[str, list[float]] = defaultdict(list)
        self.server: defaultdict[str, list[float]] = defaultdict(list)
        run_blocking(self._connection, self._store.join(WORKER, LEASE_MS))

    def put(self, count: int) -> None:
        """Enqueue so many jobs in one call."""
        records = [record(n) for n in range(count)]
        run_blocking(self._connection, self._store.enqueue("p", next(self._calls), "", 0, records))

    def turn(self, want: int = TAKEN) -> None:
        """Settle what is held, and take the next."""
        lease, ids = self._held
        settled: dict[str, Any] = {"ids": ids, "leases": [lease] * len(ids)}
        command = self._store.turn(
            WORKER, next(self._turns), want=want, park=False, source="", keep=0,
            outcomes=[], moves=[], counters=[], **settled,
        )  # fmt: skip
        reply = self._connection.call(command)
        self._held = (reply[3], reply[4])

    def stretch(self, kind: str, times: int, call: Callable[[], None]) -> None:
        """Call so often, and note the times."""
        for _ in range(times // 10):
            call()
        self._connection.call(("CONFIG", "RESETSTAT"))
        for _ in range(times):
            begun = time.perf_counter()
            call()
            self.ours[kind].append((time.perf_counter() - begun) * 1e6)
        said = self.broker.info("commandstats")["cmdstat_evalsha"]
        self.server[kind].append(float(dict(part.split("=") for part in said.split(","))["usec_per_call"]))

    def forget(self) -> None:
        """The times so far do not count."""
        self.ours.clear()
        self.server.clear()

    def waiting(self) -> int:
        return int(self._connection.call(("LLEN", f"{self._store.queue}:wait:0")))

    def drain(self, to: int) -> None:
        """Take and settle until so many wait."""
        while (more := self.waiting() - to) > 0:
            self.turn(min(more, CHUNK))
        self.turn(0)

    def close(self) -> None:
        self._connection.close()
        self.broker.kill()


def record(n: int) -> bytes:
    """A job whose payload has 200 bytes as JSON."""
    data = {"n": n, "text": ""}
    data["text"] = "x" * (PAYLOAD - len(f'{{"n":{n},"text":""}}'))
    return encode_record(now_ms(), "job", data)


def measure(given: Given) -> Verdict:
    """Fill one, then measure `rounds` stretches of each kind on both."""
    verdict = Verdict()
    with contextlib.ExitStack() as stack:
        full, empty = (Side(given.folder / name) for name in ("full", "empty"))
        stack.callback(full.close)
        stack.callback(empty.close)
        took = _fill(full)
        verdict.tell("filling: slowest tenth to the first", f"{max(took) / took[0]:.2f} x")
        eventually(lambda: full.broker.info("persistence")["aof_pending_bio_fsync"] == "0", "it is on disk")
        used = int(full.broker.info("memory")["used_memory"]) / 1e6
        say(f"{full.waiting():,} jobs wait")
        verdict.tell("waiting jobs, bytes of payload", f"{full.waiting():,}, {PAYLOAD}")
        verdict.at_most(f"memory, {full.broker.version()}", round(used, 1), MEMORY_LIMIT, " MB")
        sides = ((full, JOBS), (empty, 0))
        for number in range(WARM_UP + (given.rounds or ROUNDS)):
            if number == WARM_UP:
                full.forget()
                empty.forget()
            for side, waiting in sides if number % 2 else reversed(sides):
                _round(side, waiting)
        for kind in full.ours:
            _compare(verdict, kind, full, empty)
    return verdict


def _fill(side: Side) -> list[float]:
    """Enqueue a million jobs; seconds of each tenth of them."""
    took = []
    for _ in range(10):
        begun = time.monotonic()
        for _ in range(JOBS // 10 // CHUNK):
            side.put(CHUNK)
        took.append(time.monotonic() - begun)
    return took


def _round(side: Side, waiting: int) -> None:
    side.stretch("enqueue of one", SINGLES, lambda: side.put(1))
    side.stretch(f"enqueue of {BATCH}", BATCHES, lambda: side.put(BATCH))
    side.turn()
    side.stretch(f"turn of {TAKEN}", TURNS, side.turn)
    side.drain(waiting)


def _compare(verdict: Verdict, kind: str, full: Side, empty: Side) -> None:
    for who, at_full, at_empty in (
        ("caller", full.ours[kind], empty.ours[kind]),
        ("server", full.server[kind], empty.server[kind]),
    ):
        slow, fast = statistics.median(at_full), statistics.median(at_empty)
        verdict.tell(f"{kind}, {who}: empty, full", f"{fast:.1f}, {slow:.1f} µs")
        verdict.at_most(f"{kind}, {who}: full to empty", round(slow / fast, 3), LIMIT, " x")
