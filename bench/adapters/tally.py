"""Counts the jobs that ran, at the same small cost (a microsecond) for every Python peer.

A worker process owns one mapped file in $TALLY_DIR:
    int64 count, int64 first_ns, int64 last_ns, then one int64 a latency sample.
Handlers call hit(); the harness sums the files with read(). Times are CLOCK_MONOTONIC, one clock
for all processes of a machine. Every peer's environment imports this, so it needs nothing.
"""

import glob
import mmap
import os
import struct
import threading
import time

HEAD = struct.Struct("<qqq")
SAMPLES = 8192
SIZE = HEAD.size + 8 * SAMPLES
IDS = os.environ.get("TALLY_IDS") == "1"  # bench/kill.py: also the number of each job that ran


class _File:
    """The tally of this process."""

    def __init__(self) -> None:
        folder = os.environ["TALLY_DIR"]
        # A worker that forks for each job (TALLY_KEY=parent) shares the file of its parent.
        owner = os.getppid() if os.environ.get("TALLY_KEY") == "parent" else os.getpid()
        self.pid = os.getpid()
        self.ids = os.open(f"{folder}/{owner}.ids", os.O_WRONLY | os.O_CREAT | os.O_APPEND) if IDS else -1
        fd = os.open(f"{folder}/{owner}.tally", os.O_RDWR | os.O_CREAT)
        if os.fstat(fd).st_size < SIZE:
            os.ftruncate(fd, SIZE)
        self.map = mmap.mmap(fd, SIZE)
        os.close(fd)
        self.count, self.first, _ = HEAD.unpack_from(self.map, 0)

    def add(self, now: int, sent: int | None) -> None:
        if IDS:
            os.write(self.ids, b"%d\n" % (sent or 0))  # outlives the process, unlike a buffer
        elif sent is not None and self.count < SAMPLES:
            struct.pack_into("<q", self.map, HEAD.size + 8 * self.count, now - sent)
        self.first = self.first or now
        self.count += 1
        HEAD.pack_into(self.map, 0, self.count, self.first, now)


_lock = threading.Lock()
_file: _File | None = None


def hit(sent: int | None = None) -> None:
    """One job ran. `sent`: when it was enqueued (CLOCK_MONOTONIC ns), if it is a sample."""
    global _file
    now = time.monotonic_ns()
    with _lock:
        if _file is None or _file.pid != os.getpid():
            _file = _File()
        _file.add(now, sent)


def read(folder: str) -> tuple[int, int, int]:
    """(count, first_ns, last_ns) over all worker processes."""
    heads = []
    for path in glob.glob(os.path.join(folder, "*.tally")):
        with open(path, "rb") as file:
            data = file.read(HEAD.size)
        if len(data) == HEAD.size:
            heads.append(HEAD.unpack(data))
    ran = [head for head in heads if head[0]]
    if not ran:
        return 0, 0, 0
    return sum(n for n, _, _ in ran), min(a for _, a, _ in ran), max(b for _, _, b in ran)


def samples(folder: str) -> list[int]:
    """All latency samples, in ns."""
    out: list[int] = []
    for path in glob.glob(os.path.join(folder, "*.tally")):
        with open(path, "rb") as file:
            data = file.read()
        n = min(HEAD.unpack_from(data, 0)[0], (len(data) - HEAD.size) // 8)
        out += [v for v in struct.unpack_from(f"<{n}q", data, HEAD.size) if v > 0]
    return out
