"""The supervisor's control socket: takes requests of commands (see pipeline.control), one connection each."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from os import geteuid
from pathlib import Path
from typing import Any

import msgspec

from pipeline.control import Request, control_socket
from pipeline.errors import PipelineError
from pipeline.supervisor.host import is_alive

Say = Callable[[str], None]
Handle = Callable[[Request, Say], Awaitable[Any]]
LONGEST_REQUEST = 1024 * 1024


class ControlSocket:
    """`handle` is awaited for each request; what it returns is the answer."""

    def __init__(self, state: Path, handle: Handle) -> None:
        self._path = control_socket(state)
        self._handle = handle
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to listen."""
        for path in self._path.parent.glob("*.sock"):
            if path == self._path or (path.stem.isdigit() and not is_alive(int(path.stem))):
                path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_REQUEST)
        self._path.chmod(0o600)

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(what: dict[str, Any]) -> None:
            # A person who went away is not missed.
            with contextlib.suppress(OSError):
                writer.write(msgspec.json.encode(what) + b"\n")

        # A request may last until we end, and is cancelled then.
        with contextlib.suppress(OSError, ValueError, asyncio.CancelledError):
            if is_ours(writer.get_extra_info("socket")):
                tell(await self._answer(await reader.readline(), tell))
                await writer.drain()
        writer.close()

    async def _answer(self, line: bytes, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.MsgspecError as error:
            return {"error": f"this supervisor does not know such a request: {error}"}
        try:
            return {"done": await self._handle(request, lambda text: tell({"say": text}))}
        except PipelineError as error:
            return {"error": error.message, "help": error.help}


def is_ours(peer: socket.socket) -> bool:
    """Whether the other side is the same user, or root. Where the system does not tell, the folder decides."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", raw)[1] in (0, geteuid())
