"""The two pipes of a child process, at its end: orders come down, events go up, each a line of JSON."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import msgspec


class Orders(asyncio.Protocol):
    """What the supervisor says. Its silence for good means that it is gone: then so are we."""

    def __init__(self, obey: Callable[[dict[str, Any]], None]) -> None:
        self._obey = obey
        self._rest = b""

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


async def follow(orders: int, obey: Callable[[dict[str, Any]], None]) -> None:
    """Obey what comes down from now on."""
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: Orders(obey), os.fdopen(orders, "rb", buffering=0))


def first_line(fd: int) -> bytes:
    """Read one line and no byte more: what follows belongs to the loop."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte:
            os._exit(1)
        line += byte
    return bytes(line)
