"""The two pipes of a child process, at its end: orders come down, events go up, each a line of JSON."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

CHUNK = 65_536


class Orders(asyncio.Protocol):
    """What the supervisor says. Its silence for good means that it is gone: then so are we."""

    def __init__(self, obey: Callable[[dict[str, Any]], None], rest: bytes) -> None:
        self._obey = obey
        self._rest = rest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: ARG002 - asyncio's signature
        self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._obey(msgspec.json.decode(line))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        os._exit(1)


class Up:
    """The pipe to the supervisor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def tell(self, event: str, **facts: Any) -> None:
        """Say what happened."""
        os.write(self._fd, msgspec.json.encode({"event": event, **facts}) + b"\n")


class Start(NamedTuple):
    """The first line that came down, and what was read beyond it."""

    line: bytes
    rest: bytes


def first_line(fd: int) -> Start:
    """Wait for the first line; without one nobody is there, and this process ends."""
    data = bytearray()
    while b"\n" not in data:
        piece = os.read(fd, CHUNK)
        if not piece:
            os._exit(1)
        data += piece
    line, _, rest = bytes(data).partition(b"\n")
    return Start(line, rest)


async def follow(orders: int, start: Start, obey: Callable[[dict[str, Any]], None]) -> None:
    """Obey what comes down after the first line."""
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(orders, "rb", buffering=0)
    await loop.connect_read_pipe(lambda: Orders(obey, start.rest), pipe)
