"""Who listens to server-sent events, and what waits for each: bounded, so that one who does not read holds up nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from pipeline.web.response import Refused
from pipeline.web.source import Source

MOST = 64
KEPT = 500
BEAT_SECONDS = 15.0
RETRY_MS = 2_000


def frame(event: str, data: bytes) -> bytes:
    """One event. JSON has no line ends, so that one line holds it."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


class Listener:
    """One stream. `queues` are those whose jobs it follows; "*" is every queue."""

    def __init__(self, queues: frozenset[str]) -> None:
        self.queues = queues
        self._latest: dict[str, bytes] = {}
        self._events: deque[bytes] = deque(maxlen=KEPT)
        self._lost = False
        self._wake = asyncio.Event()

    def latest(self, key: str, data: bytes) -> None:
        """Of these only the newest counts."""
        self._latest[key] = data
        self._wake.set()

    def tell(self, queue: str, data: bytes) -> None:
        """What happened in a queue."""
        if queue in self.queues or "*" in self.queues:
            self._lost = self._lost or len(self._events) == KEPT
            self._events.append(data)
            self._wake.set()

    async def wait(self, seconds: float) -> None:
        """Until there is something, or so long."""
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    def wake(self) -> None:
        """End the wait."""
        self._wake.set()

    def take(self) -> list[bytes]:
        """All that waits."""
        self._wake.clear()
        latest, self._latest = self._latest, {}
        found = [*latest.values(), *self._events]
        self._events.clear()
        if self._lost:
            found.append(frame("missed", b'{"queue":null}'))
            self._lost = False
        return found


class Hub:
    """Every stream there is."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._listeners: set[Listener] = set()
        self._waking: asyncio.Task[None] | None = None
        self._told: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def queues(self) -> frozenset[str]:
        """The queues that are followed."""
        return frozenset(queue for one in self._listeners for queue in one.queues)

    def latest(self, event: str, value: Any, key: str = "") -> None:
        """Tell everybody. A newer one of the same event and key takes the place of one that was not sent yet."""
        if self._listeners:
            data = frame(event, msgspec.json.encode(value))
            for one in self._listeners:
                one.latest(f"{event} {key}", data)

    def changed(self, event: str, data: bytes, value: Any) -> None:
        """Tell everybody, unless `value` is what it was when this was told last."""
        if self._listeners and self._told.get(event) != value:
            self._told[event] = value
            for one in self._listeners:
                one.latest(f"{event} ", frame(event, data))

    def tell(self, queue: str, event: str, value: Any) -> None:
        """Tell those who follow the queue."""
        if self._listeners:
            data = frame(event, msgspec.json.encode(value))
            for one in self._listeners:
                one.tell(queue, data)

    async def listen(self, queues: Iterable[str], first: bytes | None) -> AsyncIterator[bytes]:
        """The frames of a new stream, with `first` at its beginning. Raises Refused (429), at once, when there are too many."""
        if len(self._listeners) >= MOST:
            raise Refused(
                429, "too_many", f"{MOST} streams are open already", headers=(("retry-after", "5"),)
            )
        listener = Listener(frozenset(queues))
        self._listeners.add(listener)
        if self._waking is None or self._waking.done():
            self._waking = asyncio.ensure_future(self._wake_at_the_end())
        if first is not None:
            listener.latest("overview ", first)
        return self._frames(listener)

    async def _frames(self, listener: Listener) -> AsyncIterator[bytes]:
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            while not self._source.stopping.is_set():
                await listener.wait(BEAT_SECONDS)
                yield b"".join(listener.take()) or b": beat\n\n"
            yield frame("end", b"{}")
        finally:
            self._listeners.discard(listener)

    async def _wake_at_the_end(self) -> None:
        await self._source.stopping.wait()
        for one in self._listeners:
            one.wake()
