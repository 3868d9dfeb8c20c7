"""A queue that is put through the faults: how its worker is started, with which settings, and what it promises."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.peer import NODE, OURS, Peer
from bench.places import program

ADAPTERS = Path(__file__).resolve().parent / "adapters"
CONCURRENCY = 4
EVERY = ("F0", "F1", "F3", "F3-idle", "F9", "F14")


class Setting(NamedTuple):
    """Something set otherwise than by default, and why; all are documented by the peer."""

    name: str
    why: str


class Place(NamedTuple):
    """Where processes run: the broker's address, a folder of the host's own, and the journal."""

    url: str
    folder: Path
    journal: Path


@dataclass(frozen=True)
class Subject:
    """One queue. `commands` gives one command a process to start; `venv` is where its worker and producer run."""

    name: str
    venv: str
    package: str
    adapter: str
    commands: Callable[[Place], list[list[str]]]
    settings: tuple[Setting, ...]
    promise: str
    restarts: str
    """Who starts another when a process dies that runs jobs."""
    faults: tuple[str, ...] = EVERY

    def producer(self) -> list[str]:
        """The command that enqueues; COUNT, PER_SECOND and SECONDS_OF_A_JOB follow."""
        if self.venv == NODE:
            return [NODE, str(ADAPTERS / self.adapter), "produce"]
        python = sys.executable if self.venv == OURS else program(self.venv, "python")
        return [python, str(ADAPTERS / "produce.py"), self.adapter]

    def version(self) -> str:
        """The installed version; raises LookupError where it is not installed."""
        return Peer(self.venv, self.package, self.adapter, lambda _: [], "").version()
