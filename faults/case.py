"""What a case is, and the row that comes of one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from faults import cases
from faults.checker import Counts
from pipeline.store.blocking import BlockingConnection

if TYPE_CHECKING:
    from faults.trial import Trial


class Place(Protocol):
    """Where jobs are kept: one server, or several that are one broker. `url` is what a config says."""

    url: str

    def start(self) -> None:
        """Start it, and wait until it answers. Raises TooLate."""

    def kill(self) -> None:
        """SIGKILL to all of it."""

    def version(self) -> str:
        """What it is, for a report."""

    def connect(self) -> BlockingConnection:
        """A connection to all of it. Raises BrokerUnavailable."""

    def beside(self, key: str) -> BlockingConnection:
        """A connection to the server that has this key. Raises BrokerUnavailable."""


@dataclass(frozen=True)
class Case:
    """A fault: how it is put in, for how many seconds, and what must have been counted for it to count as put in.

    `inject` does all that is special; a Trial sees to the rest. `server` is settings of the server; `place` makes several
    servers of a folder, a program and whether it is the long form, instead of one. `needs` is what it needs beside Python.
    """

    name: str
    title: str
    injects: str
    inject: Callable[[Trial], None]
    short: float
    long: float
    bites: tuple[str, ...]
    server: dict[str, str] = field(default_factory=dict)
    place: Callable[[Path, str, bool], Place] | None = None
    needs: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """What came of a case. It passed when there are no violations; a fault that did not bite is one.

    `folder` holds what the processes of a case that failed left behind.
    """

    case: str
    title: str
    injects: str
    counts: Counts = Counts()
    extra: int = 0
    bites: dict[str, int] = {}
    figures: dict[str, str] = {}
    violations: list[str] = []
    seconds: float = 0.0
    server: str = ""
    folder: str = ""

    @property
    def passed(self) -> bool:
        return not self.violations


def load() -> dict[str, Case]:
    """Every case of faults/cases, by its name, in order."""
    modules = [
        importlib.import_module(f"faults.cases.{found.name}")
        for found in pkgutil.iter_modules(cases.__path__)
    ]
    found = sorted((module.CASE for module in modules), key=lambda case: int(case.name[1:]))
    return {case.name: case for case in found}
