"""The processes of one measure: the workers of a peer, and its producer."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from bench import proc
from bench.adapters import tally
from bench.peer import Load, Peer
from bench.places import ADAPTERS, PEERS_DIR, TALLY, URL, WORK


@dataclass(frozen=True)
class Rate:
    """What a producer did."""

    n: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.n / self.seconds


def environment(peer: Peer, load: Load) -> dict[str, str]:
    return {
        **os.environ,
        "REDIS_URL": URL,
        "CONCURRENCY": str(load.concurrency),
        "TALLY_DIR": str(TALLY),
        "PYTHONPATH": str(ADAPTERS),
        "NODE_PATH": str(PEERS_DIR / "node" / "node_modules"),
        "NODE_ENV": "production",
        **peer.env,
    }


def produce(peer: Peer, mode: str, kind: str, n: int, seconds: float = 600.0) -> Rate:
    """Runs the peer's producer in a process of its own; see adapters/produce.py for the modes."""
    if peer.prepare:
        peer.prepare(peer.low)
    with (WORK / "producer.log").open("ab") as log:
        out = subprocess.run(
            [*peer.producer(), mode, kind, str(n), str(seconds)],
            env=environment(peer, peer.low),
            cwd=WORK,
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=900,
            check=True,
        ).stdout
    got = json.loads(out.splitlines()[-1])
    return Rate(got["n"], got["seconds"])


class Workers:
    """Starts at once; every process of it is killed at the end of the `with`."""

    def __init__(self, peer: Peer, load: Load) -> None:
        shutil.rmtree(TALLY, ignore_errors=True)
        TALLY.mkdir(parents=True)
        if peer.prepare:
            peer.prepare(load)
        self.peer = peer
        self.started_ns = time.monotonic_ns()
        with (WORK / "worker.log").open("ab") as log:
            self.roots = [
                subprocess.Popen(
                    command,
                    env=environment(peer, load),
                    cwd=WORK,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                for command in peer.command(load)
            ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def pids(self) -> list[int]:
        """Every process, those of a supervisor's and all children too."""
        return [pid for root in self.roots for pid in proc.tree(root.pid)]

    def working(self) -> list[int]:
        """Without a supervisor that is counted apart."""
        apart = {root.pid for root in self.roots} if self.peer.supervised else set()
        return [pid for pid in self.pids() if pid not in apart]

    def apart(self) -> list[int]:
        return [root.pid for root in self.roots] if self.peer.supervised else []

    def wait(
        self, n: int, seconds: float, on_first: Callable[[int], None] | None = None, idle: float = 15
    ) -> tuple[int, int, int]:
        """Until n jobs ran, `seconds` passed, or none ran for `idle`: (count, first_ns, last_ns)."""
        begun = changed = time.monotonic()
        seen = 0
        while True:
            got = tally.read(str(TALLY))
            now = time.monotonic()
            if got[0] and on_first:
                on_first(got[0])
                on_first = None
            if got[0] != seen:
                seen, changed = got[0], now
            if got[0] >= n or now - begun > seconds or now - changed > idle:
                return got
            time.sleep(0.02)

    def kill(self) -> None:
        pids = self.pids()  # before the parents go: a child may be in a group of its own
        for root in self.roots:
            _kill(os.killpg, root.pid)
        for pid in pids:
            _kill(os.kill, pid)
        for root in self.roots:
            root.wait()


def _kill(how: Callable[[int, int], None], pid: int) -> None:
    try:
        how(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
