"""The question which lanes of a queue are full, and what holds them."""

from __future__ import annotations

from msgspec import Struct

from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import script
from pipeline.store.wire import Reply


class Lane(Struct, frozen=True):
    """A lane in which jobs wait. `active` were taken by workers or wait for a retry that keeps their place, `next` may be
    taken now. Times are ms since 1970: until when a handler holds the lane, and when its rate lets another start."""

    lane: str
    waiting: int
    active: int
    next: int
    held_until_at: int | None = None
    opens_at: int | None = None


def fullest(project: str, queue: str, count: int) -> Call[list[Lane]]:
    """The lanes that most jobs wait in, the fullest first."""
    base = keys.base(project, queue)
    return Call(script("lanes").command(queue=base, count=count), _lanes)


def _lanes(reply: Reply) -> list[Lane]:
    time, *rows = reply
    return [_lane(time, *row) for row in rows]


def _lane(
    time: int,
    name: bytes,
    waiting: bytes,
    let_in: bytes | None,
    listed: bytes | None,
    held: bytes | None,
    opens: bytes | None,
) -> Lane:
    """A lane from what lanes.lua answers, in its order."""
    inside, waits_to_be_taken = int(let_in or 0), int(listed or 0)
    return Lane(
        name.decode(errors="replace"),
        int(waiting),
        inside - waits_to_be_taken,
        waits_to_be_taken,
        _future(held and held.split()[1], time),
        _future(opens, time),
    )


def _future(at: bytes | None, time: int) -> int | None:
    return int(float(at)) if at is not None and float(at) > time else None
