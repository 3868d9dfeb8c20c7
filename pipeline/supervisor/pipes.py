"""The two pipes between the supervisor and a worker: JSON lines down, JSON lines up."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

import msgspec

LONGEST_LINE = 1024 * 1024


class Down:
    """Orders to a worker. What the pipe does not take now is written when the worker reads."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)

    def tell(self, message: Any) -> None:
        """Send one message; a worker that is gone hears nothing."""
        writing = bool(self._buffer)
        self._buffer += msgspec.json.encode(message) + b"\n"
        if not writing:
            self._write()

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                self._buffer = self._buffer[os.write(self._fd, self._buffer) :]
            except BrokenPipeError:
                self._buffer = b""
        if self._buffer:
            self._loop.add_writer(self._fd, self._write)
        else:
            self._loop.remove_writer(self._fd)

    def close(self) -> None:
        """Hang up: a worker that still lives takes this as our end, and leaves."""
        self._loop.remove_writer(self._fd)
        os.close(self._fd)


class Up:
    """Events of a worker; `on_event` gets each."""

    def __init__(self, fd: int, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._fd = fd
        self._on_event = on_event
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self.read)

    def read(self) -> None:
        """Take in what is there."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._fd, 65_536)
            if not data:
                self._loop.remove_reader(self._fd)
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[:LONGEST_LINE]
            for line in lines:
                self._hear(line)

    def _hear(self, line: bytes) -> None:
        # Nothing but the worker's own code writes here, but user code can write to any descriptor.
        with contextlib.suppress(msgspec.DecodeError):
            event = msgspec.json.decode(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                self._on_event(event)

    def close(self) -> None:
        """Take in the last words and close."""
        self.read()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
