"""The seven counts of a round (Jepsen's total-queue), and what there is beside them, from its journal."""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from faults.peers.journal import Event, Journal


@dataclass(frozen=True)
class Counts:
    """`lost` did not run to an end although it was acknowledged; `kept` is how many of these the broker still has
    something of. `duplicated` counts runs beyond the first of a job, `twice` those that came to an end; `recovered`
    jobs ran although their enqueue was never answered."""

    attempted: int
    acknowledged: int
    ok: int
    lost: int
    unexpected: int
    duplicated: int
    recovered: int
    kept: int
    twice: int
    errors: int


def count(journal: Journal, kept: set[int]) -> Counts:
    """The counts of a journal that was read; `kept` are the jobs of which the broker has anything."""
    tried, acknowledged = journal.numbers("try"), journal.numbers("ack")
    ended = journal.numbers("end")
    lost = acknowledged - ended
    return Counts(
        attempted=len(tried),
        acknowledged=len(acknowledged),
        ok=len(acknowledged & ended),
        lost=len(lost),
        unexpected=len(ended - tried),
        duplicated=_again(journal.events["begin"]),
        recovered=len(ended & tried - acknowledged),
        kept=len(lost & kept),
        twice=_again(journal.events["end"]),
        errors=len(journal.events["error"]),
    )


def _again(events: list[Event]) -> int:
    return sum(runs - 1 for runs in Counter(event.number for event in events).values())


def reruns(journal: Journal, killed: list[tuple[int, float]]) -> list[float]:
    """After how many seconds each killed job (its number, when it was killed) began again, of those that did."""
    begun = journal.events["begin"]
    after = (
        min((event.at - at for event in begun if event.number == number and event.at > at), default=None)
        for number, at in killed
    )
    return [seconds for seconds in after if seconds is not None]


def middle(values: list[float]) -> float | None:
    return round(median(values), 3) if values else None
