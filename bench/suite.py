"""Runs: the peers interleaved, in another order each time, one measured at a time."""

import argparse
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import extras
from bench.extras import Extras
from bench.measures import Bench, Settings
from bench.peer import Peer
from bench.peers import choose
from bench.places import PORT, WORK
from bench.results import Results

Step = Callable[[], None]


@dataclass(frozen=True)
class Suite:
    peers: dict[str, Peer]
    results: Results
    lock: Path | None

    @classmethod
    def open(cls, args: argparse.Namespace) -> "Suite":
        """Checks that the peers are installed and the port is free, and clears what an earlier suite left."""
        peers = choose(args.peers)
        try:
            versions = {name: peer.version() for name, peer in peers.items()}
        except LookupError as error:
            raise SystemExit(str(error)) from None
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                raise SystemExit(f"port {PORT} is taken: set BENCH_PORT")
        WORK.mkdir(parents=True, exist_ok=True)
        if not args.keep:
            shutil.rmtree(WORK / "snapshots", ignore_errors=True)
            args.out.unlink(missing_ok=True)
        return cls(peers, Results(args.out, versions), args.lock)

    def do(self, name: str, number: int, step: Step) -> None:
        """One step; its failure is a result like any other, and the suite goes on."""
        begun = time.monotonic()
        with _locked(self.lock):
            try:
                step()
            except Exception as error:  # noqa: BLE001
                self.results.emit(name, "failed", 0, "", f"{type(error).__name__}: {error}", number)
        print(f"-- {name}: {time.monotonic() - begun:.0f} s", flush=True)


def run(suite: Suite, runs: int, settings: Settings) -> None:
    """Every peer and, if ours is among them, the extras: `runs` times."""
    begun = time.monotonic()
    for number in range(1, runs + 1):
        print(f"== run {number}, load {os.getloadavg()[0]:.2f}, {time.monotonic() - begun:.0f} s", flush=True)
        steps = _steps(suite, number, settings)
        shift = (number - 1) * 4 % max(1, len(steps))
        for name, step in steps[shift:] + steps[:shift]:
            suite.do(name, number, step)


def _steps(suite: Suite, number: int, settings: Settings) -> list[tuple[str, Step]]:
    more = Extras(number, suite.results, settings)
    steps: list[tuple[str, Step]] = [
        (name, Bench(name, peer, number, suite.results, settings).measure)
        for name, peer in suite.peers.items()
    ]
    chosen = [group for group in extras.GROUPS if group in settings.groups and "ours" in suite.peers]
    # The floor is followed by ours, which enqueues first: what is compared runs in the same minute.
    return [(group, partial(more.measure, group)) for group in chosen] + steps


def each(suite: Suite, runs: int, measure: Callable[[Suite, str, int], None]) -> None:
    """One measure of every peer, `runs` times."""
    for number in range(1, runs + 1):
        for name in suite.peers:
            suite.do(name, number, partial(measure, suite, name, number))


@contextmanager
def _locked(path: Path | None) -> Iterator[None]:
    """As `flock PATH`: nothing else that takes the lock measures meanwhile."""
    if not path:
        yield
        return
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
