"""What a worker is doing, in memory shared with its supervisor.

A worker that is killed, or whose loop stands still, cannot say what it had begun; the board can. Each slot
holds the job that it runs; `tick` is when the worker's loop last went round. Times are of the monotonic
clock, in ms, which is one for all processes of a host.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile

from msgspec import Struct

_HEAD = struct.Struct("<qqq")
_SLOT = struct.Struct("<qqqq128s")
_BEGUN = struct.Struct("<qqqq")


class Running(Struct, frozen=True):
    """A job that a slot has begun. `deadline` 0 is none."""

    slot: int
    id: str
    lease: int
    begun: int
    deadline: int


class Board:
    """`slots` places for running jobs. The supervisor makes it and hands its descriptor to the worker."""

    def __init__(self, fd: int, slots: int) -> None:
        self.fd = fd
        self.slots = slots
        self._map = mmap.mmap(fd, _HEAD.size + slots * _SLOT.size)

    @classmethod
    def create(cls, slots: int) -> Board:
        """A new board in a file without a name."""
        fd = _nameless()
        os.ftruncate(fd, _HEAD.size + slots * _SLOT.size)
        board = cls(fd, slots)
        _HEAD.pack_into(board._map, 0, slots, 0, 0)
        return board

    @classmethod
    def attach(cls, fd: int) -> Board:
        """The board that a supervisor made."""
        size = os.fstat(fd).st_size
        return cls(fd, (size - _HEAD.size) // _SLOT.size)

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)

    def tick(self, now: int, settled: int) -> None:
        """The loop goes round; `settled` counts the jobs that ended here."""
        _HEAD.pack_into(self._map, 0, self.slots, now, settled)

    def begin(self, slot: int, id: bytes, lease: int, now: int, deadline: int) -> None:
        """A slot begins a job."""
        _SLOT.pack_into(self._map, _HEAD.size + slot * _SLOT.size, len(id), lease, now, deadline, id)

    def end(self, slot: int) -> None:
        """A slot runs nothing."""
        _BEGUN.pack_into(self._map, _HEAD.size + slot * _SLOT.size, 0, 0, 0, 0)

    @property
    def ticked(self) -> int:
        """When the loop last went round; 0 before it did."""
        return int(_HEAD.unpack_from(self._map, 0)[1])

    @property
    def settled(self) -> int:
        """How many jobs ended in this worker."""
        return int(_HEAD.unpack_from(self._map, 0)[2])

    def running(self) -> list[Running]:
        """What the slots have begun and not ended."""
        found = []
        for slot in range(self.slots):
            length, lease, begun, deadline, id = _SLOT.unpack_from(self._map, _HEAD.size + slot * _SLOT.size)
            if length:
                found.append(Running(slot, id[:length].decode(errors="replace"), lease, begun, deadline))
        return found


def _nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pipeline-board")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
