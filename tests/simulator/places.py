"""Where every job is, as the server has it after a command."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pipeline.job import decode_job
from pipeline.store.wire import Reply

State = Literal[
    "none", "waiting", "delayed", "active", "elsewhere", "alone", "completed", "dead", "cancelled"
]
ENDED = ("completed", "dead", "cancelled")


class Lease(NamedTuple):
    """A job is active: this worker holds it under this number."""

    worker: bytes
    number: bytes


Place = Literal["waiting", "delayed", "alone", "completed", "dead", "cancelled"] | Lease
Places = dict[bytes, Place]


class Violation(AssertionError):
    """A promise was broken."""


class View(NamedTuple):
    """A look at the queue. `workers` says when each lease ends, `due` when each delayed job is, `letters` how many lie
    in each inbox, `remains` whether there are lists that jobs wait in, or what they left there, `listed` who stands where turns take them."""

    places: Places
    workers: dict[bytes, int]
    due: dict[bytes, int]
    parked: set[bytes]
    letters: dict[bytes, int]
    remains: bool
    paused: bool
    limit: int | None
    rate: tuple[int, int] | None
    held: bool
    removed: bool
    generation: int
    records: dict[bytes, bytes]
    lanes: Reply
    listed: set[bytes]
    rule: str

    @property
    def takeable(self) -> int:
        """How many jobs an ordinary worker may take."""
        room = len(self.listed)
        if self.limit is not None:
            room = min(room, self.limit - sum(isinstance(place, Lease) for place in self.places.values()))
        # Under a rate, or on hold, it is for the parked to know when they may: whether they do shows at the end.
        return 0 if self.paused or self.rate or self.held or self.lanes[-2] else max(room, 0)


def view(look: Reply) -> View:
    """What look.lua saw. Raises Violation when a job is in two places, or in none."""
    jobs, delayed, dead, cancelled, completed, alone, levels, stale, held, parked, meta, levelof, lanes = look
    found: Places = {}
    due, records = pairs(delayed), pairs(jobs)
    listed = _waiting(levels, pairs(stale))
    laned = pairs(lanes[1])
    _check_levels(records, due, levels, pairs(stale), pairs(levelof), laned)
    in_lanes = [member.split(b" ", 2)[2] for _, members in lanes[-1] for member in members]
    for place, ids in (
        ("delayed", due),
        ("dead", dead),
        ("cancelled", cancelled),
        ("completed", completed),
        ("alone", alone),
        ("waiting", [*listed, *in_lanes]),
    ):
        for id in ids:
            _put(found, id, place)
    for worker, _, leases, _ in held:
        for id, number in zip(leases[::2], leases[1::2], strict=True):
            if id:
                _put(found, id, Lease(worker, number))
    if found.keys() != records.keys():
        raise Violation(f"in no place, or without a record: {sorted(found.keys() ^ records.keys())}")
    return View(
        found,
        {worker: int(float(ends)) for worker, ends, _, _ in held},
        {id: int(float(time)) for id, time in due.items()},
        set(parked),
        {worker: count for worker, _, _, count in held},
        bool(stale or levels),
        meta[0] is not None,
        None if meta[1] is None else int(meta[1]),
        None if meta[4] is None else (int(meta[4].split()[0]), int(meta[4].split()[1])),
        meta[5] is not None,
        meta[2] is not None,
        int(meta[3] or 0),
        records,
        lanes,
        set(listed),
        (meta[6] or b"").decode(),
    )


@lru_cache(1_000)
def _priority(record: bytes) -> int:
    return decode_job(record).options.priority


def _check_levels(
    records: dict[bytes, bytes],
    due: dict[bytes, bytes],
    levels: Reply,
    stale: dict[bytes, bytes],
    levelof: dict[bytes, bytes],
    laned: dict[bytes, bytes],
) -> None:
    """A job waits, or is to wait, at the priority that its record names, also in its lane: whoever withdraws it goes by
    that."""
    waits = [(level, id) for level, ids in levels for id in ids if b"%b:%b" % (level, id) not in stale]
    waits += [(levelof.get(id, b"0"), id) for id in due]
    waits += [(state.split(b" ")[1], id) for id, state in laned.items()]
    for level, id in waits:
        if id in records and _priority(records[id]) != int(level):
            raise Violation(f"job {id!r} is at {level!r}, and its record says {_priority(records[id])}")


def pairs(flat: list[bytes]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _waiting(levels: Reply, stale: dict[bytes, bytes]) -> list[bytes]:
    """The ids in the lists, less the entries that are marked stale."""
    if not stale:
        return [id for _, ids in levels for id in ids]
    entries = Counter((level, id) for level, ids in levels for id in ids)
    for mark, count in stale.items():
        level, _, id = mark.partition(b":")
        if entries[level, id] < int(count):
            raise Violation(f"{count!r} entries of {id!r} are marked stale, {entries[level, id]} are there")
        entries[level, id] -= int(count)
    return [id for _, id in entries.elements()]


def _put(found: Places, id: bytes, place: Any) -> None:
    if id in found:
        raise Violation(f"job {id!r} is in two places: {found[id]} and {place}")
    found[id] = place
