"""What handlers wrote down, and the runs that it tells of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

WINDOW = 0.5
"""Seconds over which a rate is taken."""


class Event(NamedTuple):
    """A line of a handler; `at` is in seconds of the monotonic clock, which all processes share."""

    what: str
    queue: str
    number: int
    id: str
    attempt: int
    pid: int
    at: float


@dataclass
class Run:
    """One run of a handler; `end` is None when it never came to its end."""

    queue: str
    number: int
    id: str
    attempt: int
    pid: int
    begin: float
    end: float | None = None


def read(path: Path) -> list[Event]:
    """All lines so far, in the order in which they were written."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [parse(line) for line in lines]


def parse(line: str) -> Event:
    """One line. See hands.py."""
    what, queue, number, id, attempt, pid, at = line.split()
    return Event(what, queue, int(number), id, int(attempt), int(pid), float(at))


def runs_of(events: Iterable[Event]) -> dict[int, list[Run]]:
    """The runs of each number, the first one first."""
    runs: dict[int, list[Run]] = defaultdict(list)
    for event in events:
        mine = runs[event.number]
        if event.what == "begin":
            mine.append(Run(event.queue, event.number, event.id, event.attempt, event.pid, event.at))
        elif event.what == "end":
            # Of two runs at once the one in this process ended.
            for run in reversed(mine):
                if (run.pid, run.id) == (event.pid, event.id) and run.end is None:
                    run.end = event.at
                    break
    return runs


def resumed(events: Iterable[Event], lost: Mapping[int, float]) -> list[float]:
    """For each job whose first run was cut short by the end of its process (pid -> when): seconds until the second."""
    pairs = [(runs[0], runs[1]) for runs in runs_of(events).values() if len(runs) > 1]
    return [
        after.begin - lost[before.pid] for before, after in pairs if before.end is None and before.pid in lost
    ]


def in_hand(events: Iterable[Event]) -> list[Event]:
    """The runs that have begun and not ended so far: how each began."""
    open_runs: dict[tuple[int, int], Event] = {}
    for event in events:
        if event.what == "begin":
            open_runs[event.number, event.pid] = event
        elif event.what == "end":
            open_runs.pop((event.number, event.pid), None)
    return list(open_runs.values())


def ends(events: Iterable[Event], queue: str = "") -> list[float]:
    """When handlers came to their end, in order; those of one queue, or of all."""
    return sorted(event.at for event in events if event.what == "end" and queue in ("", event.queue))


def longest_gap(times: list[float], since: float, until: float) -> float:
    """The longest time without any of these, from the last one before `since` on."""
    before = [at for at in times if at < since]
    seen = [*before[-1:], *(at for at in times if since <= at <= until), until]
    return max((later - earlier for earlier, later in pairwise(seen)), default=0.0)


def rate(times: list[float], since: float, until: float) -> float:
    """How many a second fell into this time."""
    return sum(since <= at < until for at in times) / max(until - since, 1e-9)


def recovery(times: list[float], since: float, wanted: float) -> float | None:
    """Seconds from `since` until `wanted` a second were reached again; None for never."""
    after = [at for at in times if at >= since]
    needed = max(round(wanted * WINDOW), 1)
    for first, at in enumerate(after):
        last = first + needed - 1
        if last < len(after) and after[last] - at <= WINDOW:
            return at - since
    return None
