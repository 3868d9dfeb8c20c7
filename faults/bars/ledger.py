"""What became of each job, by its number: what the producer was told, what handlers wrote, what the broker keeps."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from faults.checker import Counts, Loss
from faults.events import Event, parse

ATTEMPTED, ACKNOWLEDGED = 1, 2


class Tail:
    """The new lines of a file that grows."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._path, self._at = path, 0

    def read(self) -> list[Event]:
        with self._path.open("rb") as file:
            file.seek(self._at)
            whole, end, _ = file.read().rpartition(b"\n")
        self._at += len(whole + end)
        return [parse(line) for line in whole.decode().splitlines()]


class Ledger:
    """Which numbers were handed out, and which of them the broker accepted. Safe for several producers."""

    def __init__(self) -> None:
        self._told = bytearray()
        self._lock = threading.Lock()

    def take(self, count: int) -> range:
        """The next numbers, which are attempted from now on."""
        with self._lock:
            first = len(self._told)
            self._told.extend([ATTEMPTED] * count)
            return range(first, first + count)

    def acknowledge(self, numbers: Iterable[int]) -> None:
        for n in numbers:
            self._told[n] = ACKNOWLEDGED

    def __len__(self) -> int:
        return len(self._told)

    def acknowledged(self, n: int) -> bool:
        return n < len(self._told) and self._told[n] == ACKNOWLEDGED


class Runs:
    """What the handlers wrote, read once from begin to end, in a few bytes a job.

    A run is due when it is the first or a further attempt. Any other is extra, and unexplained unless the process of
    the run before it lost what it ran in the meantime (`losses`).
    """

    def __init__(self, lines: Iterable[Event], losses: Iterable[Loss]) -> None:
        self.extra = 0
        self.unexplained: list[Event] = []
        self.id_of = array("q")
        self.second_ids: dict[int, int] = {}
        self.longest_pause = 0.0
        self._losses: dict[int, list[Loss]] = {}
        for loss in losses:
            self._losses.setdefault(loss.pid, []).append(loss)
        self._pids, self._begun, self._attempts = array("q"), array("d"), bytearray()
        self._last_end = 0.0
        for line in lines:
            self._grow(line.number + 1 - len(self.id_of))
            if line.what == "begin":
                self._begin(line)
            elif line.what == "end":
                self.longest_pause = max(self.longest_pause, line.at - (self._last_end or line.at))
                self._last_end = line.at

    def _grow(self, more: int) -> None:
        for column in (self.id_of, self._pids, self._begun, self._attempts):
            column.extend([0] * more)

    def _begin(self, line: Event) -> None:
        n, id = line.number, int(line.id)
        pid, begun, attempt = self._pids[n], self._begun[n], self._attempts[n]
        self._pids[n], self._begun[n], self._attempts[n] = line.pid, line.at, line.attempt
        if self.id_of[n] not in (0, id):
            self.second_ids[n] = id
        self.id_of[n] = id
        if line.attempt > attempt:
            return
        self.extra += 1
        losses = self._losses.get(pid, ())
        if not any(begun <= loss.until and loss.since <= line.at for loss in losses):
            self.unexplained.append(line)


def count(ledger: Ledger, runs: Runs, ends: Mapping[int, int]) -> Counts:
    """The seven counts, here of what the broker says: `ends` is how often a job, by its id, was completed or died."""
    ok = lost = unexpected = duplicated = recovered = acknowledged = 0
    for n in range(max(len(ledger), len(runs.id_of))):
        id = runs.id_of[n] if n < len(runs.id_of) else 0
        times = ends.get(id, 0) if id else 0
        told = ledger.acknowledged(n)
        acknowledged += told
        unexpected += n >= len(ledger)
        duplicated += times > 1 or n in runs.second_ids
        ok += told and times > 0
        lost += told and times == 0
        recovered += not told and n < len(ledger) and times > 0
    return Counts(len(ledger), acknowledged, ok, lost, unexpected, duplicated, recovered)


def read(path: Path) -> Iterator[Event]:
    """All lines of a file."""
    with path.open() as file:
        for line in file:
            yield parse(line)


class Hands:
    """Which processes have jobs in hand, by what the handlers wrote so far: begun there, and not ended or begun anew
    anywhere else."""

    def __init__(self, log: Path) -> None:
        self._tail = Tail(log)
        self._at: dict[int, int] = {}

    def busy(self, pids: Iterable[int]) -> list[int]:
        """Those of these processes that have any."""
        for line in self._tail.read():
            if line.what == "begin":
                self._at[line.number] = line.pid
            elif self._at.get(line.number) == line.pid:
                del self._at[line.number]
        return sorted({*pids} & {*self._at.values()})
