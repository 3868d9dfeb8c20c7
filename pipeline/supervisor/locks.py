"""Locks on files: one for each (root, queue), so that no queue of a project has two supervisors on a host.

The kernel frees a lock when its process ends, however it ends; what the file says is only for people.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.errors import StartError
from pipeline.state import open_private, private_folder
from pipeline.supervisor.host import host_name

HELD = 13


class Holder(Struct, frozen=True):
    """Who holds a lock. `role` and `label` are used by the embedded broker."""

    pid: int = 0
    host: str = ""
    queues: list[str] = []
    role: str = ""
    label: str = ""


class FileLock:
    """An exclusive lock on one file. `take` may be tried again; `close` frees it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = open_private(path)
        self.held = False

    def take(self) -> bool:
        """Whether the lock is ours now. Never waits."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.held = True
        return True

    def describe(self, holder: Holder) -> None:
        """Write into the file who holds it."""
        text = msgspec.json.encode(holder)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text, 0)

    def holder(self) -> Holder:
        """Who wrote into the file last."""
        try:
            return msgspec.json.decode(os.pread(self.fd, 65_536, 0), type=Holder)
        except msgspec.DecodeError:
            return Holder()

    def close(self) -> None:
        """Free the lock, if it is ours, and close the file."""
        os.close(self.fd)
        self.held = False


class QueueLocks:
    """The locks on the queues that this supervisor runs."""

    def __init__(self, state: Path) -> None:
        self._folder = private_folder(state / "locks")
        self._locks: dict[str, FileLock] = {}

    def hold(self, queues: Iterable[str]) -> None:
        """Lock all `queues`, or none that was not ours before. Raises StartError with exit code 13 when another
        supervisor has one of them."""
        before = set(self._locks)
        wanted = {*before, *queues}
        for queue in sorted(wanted - before):
            lock = self._locks[queue] = FileLock(self._folder / f"{queue}.lock")
            if not lock.take():
                holder = lock.holder()
                self.keep(before)
                raise StartError(
                    f"queue {queue!r} is run already, by process {holder.pid} on {holder.host}"
                    f" (queues {', '.join(holder.queues)})",
                    HELD,
                    "stop that supervisor, or run other queues with --queues",
                )
        for lock in self._locks.values():
            lock.describe(Holder(os.getpid(), host_name(), sorted(wanted)))

    def keep(self, queues: Collection[str]) -> None:
        """Free the locks on all other queues."""
        for queue in set(self._locks).difference(queues):
            self._locks.pop(queue).close()
