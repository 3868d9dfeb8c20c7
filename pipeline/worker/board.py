"""What a worker is doing, in memory shared with its supervisor.

A worker that is killed, or whose loop stands still, cannot say what it had begun; the board can. Each slot
holds the job that it runs; `tick` is when the worker's loop last went round, and heard of the broker. Times are of the monotonic
clock, in ms, which is one for all processes of a host.

Jobs are begun in the order in which they came. So it is enough to know how many were begun, and of how many the
broker knows the end: what lies between has ended and is not told, and came before what has not begun.

There is room for more slots than are ever used, for a worker may get more of them while it runs: memory that
nobody wrote to costs nothing, and how many slots were ever used stands in front.
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
import tempfile
from collections.abc import Iterator

from msgspec import Struct

from pipeline.policy import MAX_CONCURRENCY

_HEAD = struct.Struct("<qqqq")
_SLOT = struct.Struct("<qqqqq128s")
_TICK = struct.Struct("<qqq")
_NUMBER = struct.Struct("<q")
_TOLD = _HEAD.size - _NUMBER.size
_FIRST, _EACH = _HEAD.size, _SLOT.size
# Sync and async handlers have slots of their own.
_SIZE = _HEAD.size + 2 * MAX_CONCURRENCY * _SLOT.size


class Running(Struct, frozen=True):
    """A job that a slot has begun. `deadline` 0 is none."""

    slot: int
    id: str
    lease: int
    begun: int
    deadline: int


class Board:
    """Places for the running jobs of one queue in one worker. The supervisor makes it and hands it down."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._used = 0
        self._count = itertools.count(1)  # threads begin jobs, too
        self._told = 0
        self._map = mmap.mmap(fd, _SIZE)

    @classmethod
    def create(cls) -> Board:
        """A new board in a file without a name."""
        fd = nameless()
        os.ftruncate(fd, _SIZE)
        return cls(fd)

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)

    def tick(self, now: int, heard: int) -> None:
        """The loop goes round; the broker answered at `heard`."""
        _TICK.pack_into(self._map, 0, self._used, now, heard)

    def told(self, more: int) -> None:
        """The broker knows how so many more jobs ended that were begun here."""
        self._told += more
        _NUMBER.pack_into(self._map, _TOLD, self._told)

    def begin(self, slot: int, id: bytes, lease: int, now: int, deadline: int) -> None:
        """A slot begins a job."""
        if slot >= self._used:
            self._used = slot + 1
            _NUMBER.pack_into(self._map, 0, self._used)
        count = next(self._count)
        _SLOT.pack_into(self._map, _FIRST + slot * _EACH, len(id), lease, now, deadline, count, id)

    def skip(self) -> None:
        """A job cannot be begun at all: it has ended."""
        next(self._count)

    def end(self, slot: int) -> None:
        """A slot runs nothing."""
        _NUMBER.pack_into(self._map, _FIRST + slot * _EACH, 0)

    @property
    def ticked(self) -> int:
        """When the loop last went round; 0 before it did."""
        return int(_HEAD.unpack_from(self._map, 0)[1])

    @property
    def settled(self) -> int:
        """How many jobs ended in this worker, as the broker knows."""
        return int(_HEAD.unpack_from(self._map, 0)[3])

    @property
    def heard(self) -> int:
        """When the worker last knew that the broker answers; 0 before it did."""
        return int(_HEAD.unpack_from(self._map, 0)[2])

    @property
    def untold(self) -> int:
        """How many jobs have ended here of which the broker does not know it."""
        slots = list(self._slots())
        begun = max((slot[4] for slot in slots), default=0)
        return max(begun - self.settled - sum(slot[0] > 0 for slot in slots), 0)

    def running(self) -> list[Running]:
        """What the slots have begun and not ended."""
        return [
            Running(number, id[:length].decode(errors="replace"), lease, begun, deadline)
            for number, (length, lease, begun, deadline, _, id) in enumerate(self._slots())
            if length
        ]

    def _slots(self) -> Iterator[tuple[int, int, int, int, int, bytes]]:
        for slot in range(_HEAD.unpack_from(self._map, 0)[0]):
            yield _SLOT.unpack_from(self._map, _FIRST + slot * _EACH)


def nameless() -> int:
    """A descriptor of memory that has no name; who inherits it shares it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pipeline-board")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
