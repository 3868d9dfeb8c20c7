"""The journal of a round as the harness reads it: what producers and handlers wrote. See adapters/journal.py."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from faults.processes import is_gone


class Event(NamedTuple):
    """`at` is CLOCK_MONOTONIC, in seconds."""

    kind: str
    number: int
    at: float
    pid: int


class Journal:
    """Reads what is new with each `read`; `events` holds all, by kind and in the order of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: dict[str, list[Event]] = defaultdict(list)
        self._offset = 0

    def read(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode().splitlines():
            kind, number, ns, pid, *_ = line.split()
            self.events[kind].append(Event(kind, int(number), int(ns) / 1e9, int(pid)))

    def numbers(self, kind: str) -> set[int]:
        return {event.number for event in self.events[kind]}

    def unanswered(self) -> set[int]:
        """What was tried and neither acknowledged nor refused: the producer still waits."""
        return self.numbers("try") - self.numbers("ack") - self.numbers("error")

    def running(self) -> list[Event]:
        """The begin of each run that did not end, in a process that lives."""
        ends = Counter((event.number, event.pid) for event in self.events["end"])
        left = []
        for event in self.events["begin"]:
            if ends[event.number, event.pid]:
                ends[event.number, event.pid] -= 1
            else:
                left.append(event)
        return [event for event in left if not is_gone(event.pid)]
