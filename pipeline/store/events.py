"""What happens to the jobs of a queue, as it happens. It is written only while somebody watches, and holds ids only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from pipeline.store import keys
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_many
from pipeline.store.listing import look_at
from pipeline.store.reader import JobView, Reader
from pipeline.store.store import Store
from pipeline.store.wire import Reply

WATCH_MS = 15_000
RENEW_MS = 5_000
BLOCK_MS = 500
ENTRIES = 100
Kind = Literal[
    "enqueued", "active", "completed", "retry", "dead", "cancelled", "released", "reclaimed",
    "redriven", "promoted", "changed", "removed",
]  # fmt: skip


class Event(Struct, frozen=True):
    """Something that happened at `at` (ms since 1970) to a job; `job` is what is kept of it a moment later."""

    at: int
    queue: str
    id: str
    event: Kind
    job: JobView | None = None


class Missed(Struct, frozen=True):
    """More happened in a queue than could be read: some of it is not told."""

    queue: str


class Watch:
    """Watches queues over one connection, which it may lose: `connect` it anew then, and it goes on where it was."""

    def __init__(
        self, project: str, queues: Sequence[str], seen: Callable[[JobView], JobView] = lambda job: job
    ) -> None:
        """`seen` is what is shown of a job."""
        self._project = project
        self._seen = seen
        self._last: dict[str, bytes] = {}
        self._renewed: float | None = None
        self._missed: list[str] = []
        self.follow(queues)

    def follow(self, queues: Sequence[str]) -> None:
        """Watch these queues from now on; those that were watched already go on where they were."""
        self._readers = {queue: Reader(self._project, queue) for queue in queues}
        self._stores = {queue: Store(self._project, queue) for queue in queues}
        self._streams = {keys.events(store.queue).encode(): queue for queue, store in self._stores.items()}
        self._last = {queue: last for queue, last in self._last.items() if queue in self._stores}
        self._due = True

    @property
    def queues(self) -> list[str]:
        """The queues that are watched."""
        return list(self._stores)

    def renew(self, connection: BlockingConnection, now: float) -> None:
        """Say that somebody watches, when it is time to (`now` in seconds, by any clock that only goes on)."""
        age = 0.0 if self._renewed is None else now - self._renewed
        if not self._due and age < RENEW_MS / 1000:
            return
        lasts = run_many(connection, [store.watch(WATCH_MS) for store in self._stores.values()])
        for queue, last in zip(self._stores, lasts, strict=True):
            self._last.setdefault(queue, last.encode())
        if age > WATCH_MS / 1000:
            self._missed = list(self._stores)
        self._renewed, self._due = now, False

    def lost(self) -> None:
        """The connection is gone: the next `renew` is due at once."""
        self._due = True

    def read(self, connection: BlockingConnection) -> Iterator[Event | Missed]:
        """What happened since the last call, in the order of each queue; waits half a second for the first."""
        missed, self._missed = self._missed, []
        yield from map(Missed, missed)
        streams = list(self._streams)
        lasts = [self._last[queue] for queue in self._streams.values()]
        command = ("XREAD", "COUNT", ENTRIES, "BLOCK", BLOCK_MS, "STREAMS", *streams, *lasts)
        for stream, entries in connection.call(command) or ():
            queue = self._streams[stream]
            if len(entries) == ENTRIES and self._is_trimmed(connection, stream, self._last[queue]):
                yield Missed(queue)
            self._last[queue] = entries[-1][0]
            yield from self._told(connection, queue, entries)

    def _is_trimmed(self, connection: BlockingConnection, stream: bytes, last: bytes) -> bool:
        first = connection.call(("XRANGE", stream, "-", "+", "COUNT", 1))
        return bool(first) and last != b"0-0" and _place(first[0][0]) > _place(last)

    def _told(
        self, connection: BlockingConnection, queue: str, entries: list[tuple[bytes, list[bytes]]]
    ) -> Iterator[Event]:
        rows = list(_rows(entries))
        ids = list(dict.fromkeys(id for _, id, _ in rows))
        jobs: dict[str, JobView] = {}
        for first in range(0, len(ids), ENTRIES):
            found = look_at(connection, self._readers[queue], ids[first : first + ENTRIES])
            jobs |= {job.id: self._seen(job) for job in found if job is not None}
        for at, id, event in rows:
            yield Event(at, queue, id, event, jobs.get(id))


def _place(id: bytes) -> tuple[int, int]:
    ms, _, number = id.partition(b"-")
    return int(ms), int(number)


def _rows(entries: Reply) -> Iterator[tuple[int, str, Kind]]:
    for id, (event, ids) in entries:
        for job in ids.decode().split():
            yield _place(id)[0], job, event.decode()
