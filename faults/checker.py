"""Judges a trial from outside: what producers were told, what handlers wrote, what the broker holds. Pure.

The seven counts are those of Jepsen's total-queue checker; an element is a producer's number, and it counts as
dequeued when a handler came to its end with it, or when its job is kept as dead or cancelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from msgspec import Struct

from faults.audit import ENDED, Audit
from faults.events import Event, Run, runs_of
from faults.producer import Sent

SETTLED = 1.0
"""Seconds after which a run that ended is settled: a process that dies later takes it along no more."""
NAMED = 5
"""How many violations of one kind are told one by one."""


class Counts(Struct, frozen=True):
    """The seven counts. A queue keeps its promise when `lost` and `unexpected` are 0."""

    attempted: int = 0
    acknowledged: int = 0
    ok: int = 0
    lost: int = 0
    unexpected: int = 0
    duplicated: int = 0
    recovered: int = 0


def count(attempted: Iterable[int], acknowledged: Iterable[int], dequeued: Iterable[int]) -> Counts:
    """The seven counts, as Jepsen's total-queue takes them of multisets."""
    tried, told, seen = Counter(attempted), Counter(acknowledged), Counter(dequeued)
    ok = seen & tried
    unexpected = {number for number in seen if number not in tried}
    known = Counter({number: times for number, times in seen.items() if number in tried})
    return Counts(
        attempted=tried.total(),
        acknowledged=told.total(),
        ok=ok.total(),
        lost=(told - seen).total(),
        unexpected=sum(seen[number] for number in unexpected),
        duplicated=(known - tried).total(),
        recovered=(ok - told).total(),
    )


class Loss(Struct, frozen=True):
    """A process that lost what it ran within a time, in seconds of the monotonic clock: killed, or frozen too long."""

    pid: int
    since: float
    until: float
    why: str = "killed"


@dataclass
class Evidence:
    """All that is known at the end of a trial. `status` is what `pipeline status --json` said, by queue."""

    sent: Sent
    events: list[Event]
    audits: list[Audit]
    losses: list[Loss] = field(default_factory=list)
    status: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass
class Verdict:
    """`extra` runs are those beyond the first of a number, retries of failed attempts apart."""

    counts: Counts
    extra: int
    violations: list[str]


def judge(evidence: Evidence) -> Verdict:
    """The verdict on a trial whose every job should have ended."""
    sent, audits = evidence.sent, evidence.audits
    runs = runs_of(evidence.events)
    ended = [event.number for event in evidence.events if event.what == "end"]
    kept = [one.numbers[id] for one in audits for id in one.ended("dead", "cancelled") if id in one.numbers]
    counts = count([*sent.attempted], [*sent.acknowledged], [*ended, *kept])
    extra = [
        pair
        for mine in runs.values()
        for pair in pairwise(mine)
        if pair[0].attempt >= pair[1].attempt or pair[0].id != pair[1].id
    ]
    checks: list[Callable[[], Iterator[str]]] = [
        lambda: _counted(counts, sent, {*ended, *kept}),
        lambda: _unexplained(extra, evidence.losses),
        *(lambda one=one: _places(one) for one in audits),
        lambda: _kept(sent, audits),
        lambda: _ran(audits, {*ended}),
        *(lambda one=one: _told(one, evidence.status.get(one.queue)) for one in audits),
    ]
    return Verdict(counts, len(extra), [line for check in checks for line in few(check())])


def few(lines: Iterable[str]) -> list[str]:
    """The first lines, and how many more there are."""
    found = list(lines)
    more = len(found) - NAMED
    return found if more <= 0 else [*found[:NAMED], f"... and {more} more of this kind"]


def _counted(counts: Counts, sent: Sent, seen: set[int]) -> Iterator[str]:
    if counts.lost:
        numbers = sorted(set(sent.acknowledged) - seen)
        yield f"{counts.lost} lost: acknowledged, and never dequeued: {numbers[:NAMED]}"
    if counts.unexpected:
        yield f"{counts.unexpected} unexpected: dequeued, and never enqueued"
    if ghosts := sorted(set(sent.refused) & seen):
        yield f"{len(ghosts)} ran though their enqueue was refused: {ghosts[:NAMED]}"


def _unexplained(extra: list[tuple[Run, Run]], losses: list[Loss]) -> Iterator[str]:
    """Every extra run needs a process that died, or lost its lease, with the run before it."""
    by_pid: dict[int, list[Loss]] = {}
    for loss in losses:
        by_pid.setdefault(loss.pid, []).append(loss)
    for before, after in extra:
        if not any(_explains(loss, before, after) for loss in by_pid.get(before.pid, ())):
            yield (
                f"number {after.number} ran again without a reason: as {before.id} in {before.pid} at "
                f"{before.begin:.3f}, ended {before.end}; as {after.id} in {after.pid} at {after.begin:.3f}"
            )


def _explains(loss: Loss, before: Run, after: Run) -> bool:
    in_hand = before.begin <= loss.until and (before.end is None or before.end > loss.since - SETTLED)
    return before.id == after.id and in_hand and loss.since <= after.begin


def _places(one: Audit) -> Iterator[str]:
    """Every job ended once, in one state; nothing else is left."""
    for id in {**one.numbers, **one.states}:
        places = one.states.get(id, [])
        if len(places) > 1:
            yield f"job {id} of {one.queue} is in {len(places)} places: {', '.join(places)}"
        elif id not in one.numbers:
            yield f"job {id} of {one.queue} is {places[0]} and has no record"
        elif not places or places[0] not in ENDED:
            yield f"job {id} of {one.queue} has not ended: {places[0] if places else 'it is nowhere'}"
    if one.left:
        yield f"keys that should be gone: {', '.join(one.left)}"


def _kept(sent: Sent, audits: list[Audit]) -> Iterator[str]:
    """Each number is kept as one job at most, and the acknowledged ones are, under the id that was told."""
    ids: dict[int, list[str]] = {}
    for one in audits:
        for id, number in one.numbers.items():
            ids.setdefault(number, []).append(id)
    for number, several in ids.items():
        if len(several) > 1:
            yield f"number {number} was stored {len(several)} times: {', '.join(several)}"
    for number, id in sent.acknowledged.items():
        if id not in ids.get(number, ()):
            yield f"number {number} was acknowledged as {id}, which the broker does not keep"


def _ran(audits: list[Audit], ended: set[int]) -> Iterator[str]:
    for one in audits:
        for id in one.ended("completed"):
            if one.numbers.get(id) not in ended:
                yield f"job {id} of {one.queue} is completed, and no handler came to its end with it"


def _told(one: Audit, status: Mapping[str, Any] | None) -> Iterator[str]:
    """The totals are what happened, and what commands show is the same."""
    for state in ENDED:
        kept = len(one.ended(state))
        if one.stats.get(state, 0) != kept:
            yield f"{one.queue} counts {one.stats.get(state, 0)} jobs as {state} and keeps {kept}"
    if status is None:
        return
    enqueued = len(one.numbers) + one.stats.get("purged", 0)
    shown = {"waiting": 0, "delayed": 0, "active": 0, "enqueued_total": enqueued}
    shown.update({state: len(one.ended(state)) for state in ENDED})
    for name, value in shown.items():
        if status[name] != value:
            yield f"status shows {name} {status[name]} of {one.queue}, and it is {value}"
