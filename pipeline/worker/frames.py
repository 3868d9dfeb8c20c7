"""What a worker and the process of one of its slots say to each other, over a socket of their own."""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pipeline.errors import CANNOT_START, StartError
from pipeline.policy import QueuePolicy
from pipeline.retry import Failure
from pipeline.worker.board import nameless

_LENGTH = struct.Struct(">I")
_COUNT = struct.Struct("<q")


class Start(Struct, tag=True):
    """All that the process is told before its first job."""

    root: str
    setup: str | None
    policy: QueuePolicy
    stop_timeout: int
    json_logs: bool = False
    project: str = ""
    worker: str = ""


class Run(Struct, tag=True):
    """A job to run; `offset` turns our ms into the server's."""

    id: bytes
    lease: int
    record: bytes
    runs: bytes | None
    offset: float


class Soft(Struct, tag=True):
    """The job that runs has passed its soft limit."""


class Change(Struct, tag=True):
    """Another policy counts from the next job on."""

    policy: QueuePolicy


class Ready(Struct, tag=True):
    """The handlers are loaded."""


class Failed(Struct, tag=True):
    """The handlers cannot be loaded."""

    reason: str
    traceback: str


class Note(Struct, tag=True):
    """The progress or a log line of the job that runs, as JSON."""

    kind: Literal["progress", "log"]
    value: bytes


class Ended(Struct, tag=True):
    """How the job ended: with its result as JSON, or with a failure."""

    result: bytes
    failure: Failure | None


Down = Start | Run | Soft | Change
Up = Ready | Failed | Note | Ended
_encode = msgspec.msgpack.Encoder().encode
_decoders = {True: msgspec.msgpack.Decoder(Up), False: msgspec.msgpack.Decoder(Down)}


class NotLoaded(StartError):
    """A process of a slot could not load the handlers; `traceback` is empty where the reason says all."""

    def __init__(self, reason: str, traceback: str) -> None:
        super().__init__(reason, CANNOT_START)
        self.traceback = traceback


class Begun:
    """How many jobs the process has begun, in memory that it shares with its worker: that can read it when the process
    cannot say anything any more."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, _COUNT.size)

    @classmethod
    def create(cls) -> Begun:
        fd = nameless()
        os.ftruncate(fd, _COUNT.size)
        return cls(fd)

    @property
    def count(self) -> int:
        return int(_COUNT.unpack_from(self._map)[0])

    def another(self) -> None:
        """One more is about to begin."""
        _COUNT.pack_into(self._map, 0, self.count + 1)

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)


class Frames(asyncio.Protocol):
    """One end of the socket. `heard` gets each message, `lost` is called when the other end is gone."""

    def __init__(self, heard: Callable[[Any], None], lost: Callable[[], None], *, up: bool) -> None:
        self._heard = heard
        self._lost = lost
        self._decode = _decoders[up].decode
        self._rest = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= _LENGTH.size:
            end = at + _LENGTH.size + _LENGTH.unpack_from(rest, at)[0]
            if len(rest) < end:
                break
            message = self._decode(rest[at + _LENGTH.size : end])
            at = end
            self._heard(message)
        del rest[:at]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._lost()

    def send(self, message: Down | Up) -> None:
        """Say something; nothing is said to an end that is gone."""
        if self._transport is not None:
            self._transport.write(framed(message))

    def close(self) -> None:
        """Hang up, once what was said is sent."""
        if self._transport is not None:
            self._transport.close()


def framed(message: Down | Up) -> bytes:
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


def read(sock: socket.socket) -> Down:
    """Wait for one message. Raises EOFError when the other end is gone."""
    body = _exactly(sock, _LENGTH.unpack(_exactly(sock, _LENGTH.size))[0])
    return _decoders[False].decode(body)  # type: ignore[no-any-return]


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
