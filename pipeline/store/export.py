"""The jobs of a queue as lines, on their way to another broker; what a line is, says `moving`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import msgspec
from msgspec import UNSET

from pipeline.job import decode_sealed
from pipeline.store import keys, layout
from pipeline.store.blocking import BlockingConnection
from pipeline.store.listing import pieces
from pipeline.store.moving import MOVING, Line, Moving
from pipeline.store.reader import Reader
from pipeline.store.scripts import script
from pipeline.store.wire import checked

PAGE = 10_000


class Export:
    """The jobs of a queue in some states, in the order in which they would run. `flows` counts those that belong to
    flows, and are left out. What moves on meanwhile is left out, too."""

    def __init__(self, connection: BlockingConnection, project: str, queue: str) -> None:
        self._connection = connection
        self._reader = Reader(project, queue)
        self._base = self._reader.queue
        self._alone: set[bytes] = set()
        self.flows = 0

    def lines(self, states: Sequence[Moving]) -> Iterator[Line]:
        """Raises BrokerError."""
        for state in MOVING:
            if state in states:
                for ids in self._pages(state):
                    yield from self._lines(state, ids)

    def _pages(self, state: Moving) -> Iterator[list[str]]:
        seen: set[bytes] = set()
        for found in self._dead_or_delayed(state) if state != "waiting" else self._waiting():
            # One that was moved or brought back may stand in a list twice.
            ids = [id for id in dict.fromkeys(found) if id not in seen]
            seen.update(ids)
            yield from pieces(self._connection, self._base, [id.decode() for id in ids])

    def _dead_or_delayed(self, state: Moving) -> Iterator[list[bytes]]:
        return self._paged(
            "ZRANGE", keys.delayed(self._base) if state == "delayed" else keys.dead(self._base)
        )

    def _waiting(self) -> Iterator[list[bytes]]:
        call, base = self._connection.call, self._base
        for found in self._paged("LRANGE", keys.alone(base)):
            self._alone.update(found)
            yield found
        for level in call(("ZRANGE", keys.levels(base), 0, -1)):
            yield from self._paged("LRANGE", keys.wait(base, int(level)))
        for lane in filter(None, call(("ZRANGE", keys.lane_sizes(base), 0, -1))):
            for members in self._paged("ZRANGE", keys.lane(base, lane.decode())):
                yield [member.split(b" ", 2)[2] for member in members]

    def _paged(self, command: str, key: str) -> Iterator[list[bytes]]:
        for first in count(step=PAGE):
            found = self._connection.call((command, key, first, first + PAGE - 1))
            yield found
            if len(found) < PAGE:
                return

    def _lines(self, state: Moving, ids: list[str]) -> Iterator[Line]:
        kept = self._connection.call(script("show").command(queue=self._base, rest=ids))
        jobs = [
            (id, found) for id, found in zip(ids, kept, strict=True) if found and found[0].decode() == state
        ]
        options = [decode_sealed(record).options for _, (_, record, *_) in jobs]
        wanted = [one.key if state != "dead" and not one.flow else "" for one in options]
        holds = self._held([id for id, _ in jobs], wanted)
        for (id, found), one, (held, left) in zip(jobs, options, holds, strict=True):
            if one.flow:
                self.flows += 1
            else:
                yield self._line(id, found, held=held, left=left)

    def _line(self, id: str, found: list[Any], *, held: bool, left: int | None) -> Line:
        state, record, runs, outcome, _, _, due, lane, _ = found
        return Line(
            layout.WRITTEN,
            self._reader.name,
            id,
            state.decode(),
            msgspec.Raw(record),
            UNSET if runs is None else msgspec.Raw(runs),
            UNSET if outcome is None else msgspec.Raw(outcome),
            None if due is None else int(due),
            (lane or b"").decode(),
            id.encode() in self._alone,
            held,
            left,
        )

    def _held(self, ids: list[str], wanted: list[str]) -> list[tuple[bool, int | None]]:
        """Whether each job holds its deduplication key ('': none), and for how many ms still."""
        names = [keys.dedup(self._base, key) for key in wanted if key]
        asked = self._connection.call_many([(word, name) for name in names for word in ("GET", "PTTL")])
        told = iter(map(checked, asked))
        found = []
        for id, key in zip(ids, wanted, strict=True):
            holder, left = (next(told), next(told)) if key else (None, 0)
            found.append(held(left) if holder == id.encode() else (False, None))
        return found


def held(left: int) -> tuple[bool, int | None]:
    """Whether a key with so many ms to live is held still, and for how long, if that ends by itself. In its last ms it is
    not: a server sets no key for 0 ms."""
    return left != 0, left if left > 0 else None
