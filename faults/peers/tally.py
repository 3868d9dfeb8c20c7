"""What the journal of a round says: the seven counts, and what is beside them."""

from collections import Counter
from statistics import median
from typing import Any

from msgspec import structs

from faults import checker
from faults.peers.journal import Event, Journal

Killed = list[tuple[int, float]]
"""The jobs that ran in a process when it was killed, and when that was."""


def counts(journal: Journal, kept: set[int]) -> dict[str, int]:
    """The seven counts, and: `kept`, how many of the lost ones the broker still has something of (jobs `kept`);
    `extra`, runs that began beyond the first of a job; `errors`, enqueues that raised."""
    tried, told, ended = (_numbers(journal.events[kind]) for kind in ("try", "ack", "end"))
    lost = set(told) - set(ended)
    begun = Counter(_numbers(journal.events["begin"]))
    return {
        **structs.asdict(checker.count(tried, told, ended)),
        "kept": len(lost & kept),
        "extra": sum(runs - 1 for runs in begun.values()),
        "errors": len(journal.events["error"]),
    }


def _numbers(events: list[Event]) -> list[int]:
    return [event.number for event in events]


def reruns(journal: Journal, killed: Killed) -> dict[str, Any]:
    """How many were killed, and after how many seconds those that did began again: the median, the latest."""
    begun = journal.events["begin"]
    after = [
        min((event.at - at for event in begun if event.number == number and event.at > at), default=None)
        for number, at in killed
    ]
    seconds = [one for one in after if one is not None]
    middle, latest = (round(median(seconds), 3), round(max(seconds), 3)) if seconds else (None, None)
    return {"killed": len(killed), "rerun": middle, "rerun_max": latest}


def completed(journal: Journal, since: float) -> float | None:
    """After how many seconds the last acknowledged job came to its end for the first time; None: some did not."""
    first: dict[int, float] = {}
    for event in journal.events["end"]:
        first.setdefault(event.number, event.at)
    told = journal.numbers("ack")
    if not told <= set(first):
        return None
    return round(max((first[number] for number in told), default=since) - since, 2)
