"""Jobs on their way to another broker: each as one line of JSON that holds all that is kept of it; see docs/moving.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from pipeline.errors import InvalidPayload, UnknownQueue
from pipeline.job import Job, decode_outcome, decode_runs, decode_sealed
from pipeline.policy import ID_PATTERN, MAX_PRIORITY, NAME_PATTERN
from pipeline.store import layout
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.store import Brought, Store

Moving = Literal["waiting", "delayed", "dead"]
MOVING: tuple[Moving, ...] = ("waiting", "delayed", "dead")
Kept = msgspec.Raw | UnsetType
MOST_DIGITS = 15
"""So many a script can count with."""
MOST = 10**MOST_DIGITS - 1
_ID, _QUEUE = re.compile(ID_PATTERN), re.compile(NAME_PATTERN)


class Line(Struct, frozen=True, omit_defaults=True):
    """A job: its `record`, `runs` and `outcome` as docs/upgrades.md has them, for the `layout`.

    `due_at` (ms since 1970) is of a delayed job, `alone` of one that waits for a process of its own, and `key_left` says
    for how many ms its deduplication key holds, if that ends by itself; `holds` that the key is this job's.
    """

    layout: int
    queue: str
    id: str
    state: Moving
    record: msgspec.Raw
    runs: Kept = UNSET
    outcome: Kept = UNSET
    due_at: int | None = None
    lane: str = ""
    alone: bool = False
    holds: bool = False
    key_left: int | None = None

    def named(self, prefix: str | None) -> Line:
        """The same job; an id that is a number gets the prefix in front. Raises InvalidPayload when that is no id."""
        if prefix is None or not self.id.isdigit():
            return self
        id = f"{prefix}:{self.id}"
        if not _ID.fullmatch(id):
            raise InvalidPayload(f"{id!r} is no id", "a prefix has a-z, A-Z, 0-9 and _.:@-, and is short")
        return replace(self, id=id)


_decode = msgspec.json.Decoder(Line, strict=True).decode


def read(text: bytes) -> Line:
    """A line of an export. Raises InvalidPayload, for a person."""
    try:
        line = _decode(text)
        if line.layout != layout.WRITTEN:
            raise InvalidPayload(f"it is of layout {line.layout}, this version writes {layout.WRITTEN}")
        _check(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidPayload(f"this is no job of `pipeline jobs export`: {error}") from None
    return line


def _check(line: Line) -> None:
    """Raises ValueError, or MsgspecError for what our own readers would not take."""
    if not _ID.fullmatch(line.id) or (line.id.isdigit() and len(line.id) > MOST_DIGITS):
        raise ValueError(f"{line.id!r} is no id")
    if not _QUEUE.fullmatch(line.queue):
        raise ValueError(f"{line.queue!r} is no name of a queue")
    job = decode_sealed(line.record)
    if job.options.flow:
        raise ValueError("it is a step of a flow, which stays where it is")
    for name, number, least, most in _numbers(line, job):
        if number is not None and not least <= number <= most:
            raise ValueError(f"{name} is {number}, and not from {least:,} to {most:,}")
    if (line.outcome is not UNSET) != (line.state == "dead"):
        raise ValueError("a dead job has an outcome, and no other")
    if (line.due_at is not None) != (line.state == "delayed"):
        raise ValueError("a delayed job has a time, and no other")


def _numbers(line: Line, job: Job[msgspec.Raw]) -> Iterator[tuple[str, int | None, int, int]]:
    """Those that the broker, or who reads there, reckons with: name, number, least, most."""
    yield "priority", job.options.priority, -MAX_PRIORITY, MAX_PRIORITY
    yield "attempts", job.options.attempts, 1, MOST
    yield "enqueued_at", job.enqueued_at, 0, MOST
    yield "due_at", line.due_at, 0, MOST
    yield "key_left", line.key_left, 1, MOST
    if line.runs is not UNSET:
        runs = decode_runs(line.runs)
        yield "attempts made", runs.attempts, 0, MOST
        yield "crashes", runs.crashes, 0, MOST
    if line.outcome is not UNSET:
        yield "finished_at", decode_outcome(line.outcome).finished_at, 0, MOST


def brought(line: Line) -> Brought:
    """The job as the script takes it in."""
    options = decode_sealed(line.record).options
    due = line.due_at if line.outcome is UNSET else decode_outcome(line.outcome).finished_at
    return Brought(
        line.id,
        "alone" if line.alone else options.priority,
        "" if due is None else due,
        line.lane,
        bytes(line.record),
        written(line.runs),
        written(line.outcome),
        options.key if line.holds else "",
        "" if line.key_left is None else line.key_left,
    )


def written(kept: Kept) -> bytes:
    """What is kept, as it is written; empty for nothing."""
    return b"" if kept is UNSET else bytes(kept)


def bring(connection: BlockingConnection, store: Store, lines: Sequence[Line], keep: int) -> list[str]:
    """Store jobs of one queue, at most 800: `created`, `duplicate` or `taken` for each. `keep` is for how many ms a number
    stays taken as an id. Raises BrokerError, UnknownQueue when nobody published the queue."""
    _, generation, policy, *_ = run_blocking(connection, store.policy())
    if policy is None:
        raise UnknownQueue(
            f"nothing says what queue {lines[0].queue!r} is there", "start `pipeline run` there first"
        )
    return run_blocking(connection, store.bring(generation.decode(), keep, [brought(line) for line in lines]))
