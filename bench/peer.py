"""One way to run a queue: how its worker is started, and at which loads it is measured."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from bench.places import ADAPTERS, PEERS_DIR, program

NODE = "node"
OURS = "ours"


class Load(NamedTuple):
    """How a worker runs: jobs at once in each of its processes."""

    concurrency: int
    processes: int = 1

    def __str__(self) -> str:
        return f"{self.processes} process{'es' if self.processes > 1 else ''} x {self.concurrency}"


TEN, FIFTY, HUNDRED, PAIR = Load(10), Load(50), Load(100), Load(100, 2)


@dataclass(frozen=True)
class Peer:
    """One way to run a queue. A load that is None is not measured."""

    venv: str  # the environment that its worker and producer run in; NODE, OURS
    package: str
    adapter: str
    command: Callable[[Load], list[list[str]]]  # one command a process that we start
    note: str
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Load], object] | None = None  # writes what worker and producer read
    jobs: int = 20_000
    low: Load = TEN
    high: Load | None = HUNDRED
    pair: Load | None = PAIR
    sleep: Load | None = FIFTY
    sleep_jobs: int = 2000
    only: frozenset[str] | None = None  # measures that make sense; None: all
    supervised: bool = False  # its first process is a supervisor, counted apart

    def wants(self, measure: str) -> bool:
        return self.only is None or measure in self.only

    def producer(self) -> list[str]:
        if self.venv == NODE:
            return [NODE, str(ADAPTERS / self.adapter)]
        python = sys.executable if self.venv == OURS else program(self.venv, "python")
        return [python, str(ADAPTERS / "produce.py"), self.adapter]

    def version(self) -> str:
        """The installed version; raises LookupError where it is not installed."""
        if self.venv == OURS:
            return _our_version(self.package)
        found = _node_version(self.package) if self.venv == NODE else _venv_version(self.venv, self.package)
        if not found:
            raise LookupError(f"{self.package} is not installed: run bench/setup.sh")
        return found


def _our_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "here"


def _node_version(package: str) -> str:
    manifest = PEERS_DIR / "node" / "node_modules" / package / "package.json"
    if not manifest.exists() or not shutil.which(NODE):
        return ""
    read = "require(process.argv[1]).version"
    return subprocess.run(
        [NODE, "-p", read, str(manifest)], check=False, capture_output=True, text=True
    ).stdout.strip()


def _venv_version(venv: str, package: str) -> str:
    python = program(venv, "python")
    if not Path(python).exists():
        return ""
    read = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", read], check=False, capture_output=True, text=True).stdout.strip()
