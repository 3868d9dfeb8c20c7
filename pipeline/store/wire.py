"""Our own connection to the broker: RESP over hiredis' parser, on a loop.

A connection pipelines: what is called within one tick of the loop leaves in one write, and replies are
matched in order; a caller that is cancelled leaves its place in the line, so replies can never shift.
No command is ever repeated here: a caller that repeats one must know that this is harmless.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from pipeline.broker import Address
from pipeline.errors import BrokerError, BrokerUnavailable
from pipeline.store.refusals import refusal
from pipeline.store.scripts import whole

Reply = Any
Done = Callable[[Reply], None]
Command = tuple[Any, ...]
CLOSED = "the broker closed the connection"


def checked(reply: Reply) -> Reply:
    """The reply, unless it is none. Raises BrokerError."""
    if isinstance(reply, hiredis.ReplyError):
        raise refusal(reply)
    if isinstance(reply, BrokerError):
        raise reply
    return reply


def is_missing_script(reply: Reply) -> bool:
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")


def awaited(loop: asyncio.AbstractEventLoop) -> tuple[asyncio.Future[Reply], Done]:
    """A future, and what gives it its result; whoever waits for it may be cancelled."""
    future: asyncio.Future[Reply] = loop.create_future()
    return future, lambda reply: None if future.done() else future.set_result(reply)


class Connection(ABC):
    """The broker, as its callers know it: a `Wire` to a server, or a `Cluster` of them. `connect` opens one; it stays
    usable until `lost` is done."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @property
    @abstractmethod
    def owes(self) -> bool:
        """Whether a reply is awaited."""

    @property
    @abstractmethod
    def heard(self) -> int:
        """How many pieces came from the broker so far."""

    @abstractmethod
    def send(self, done: Done, command: Command) -> None:
        """Send a command; `done` is called with the reply, which is an exception when there is none."""

    @abstractmethod
    def close(self) -> None:
        """Hang up; whoever waits for a reply gets BrokerUnavailable."""

    @abstractmethod
    def flush(self) -> None:
        """Write now what would leave with this tick of the loop."""

    @abstractmethod
    def doubt(self, command: Command) -> None:
        """What became of this command raises doubts whether it went to a primary: the next one finds its way anew."""

    @abstractmethod
    async def servers(self) -> dict[str, Connection]:
        """The connection to each server by its name, for what must be asked of all. Raises BrokerError."""

    def post(self, command: Command) -> asyncio.Future[Reply]:
        """Send a command; the future's result is the reply, for `checked`."""
        future, done = awaited(self._loop)
        self.send(done, command)
        return future

    async def call(self, command: Command) -> Reply:
        """Send a command and return its reply. Raises BrokerRefused or BrokerUnavailable."""
        return checked(await self.post(command))


class Wire(Connection, asyncio.Protocol):
    """The connection to one server."""

    heard = 0

    def __init__(self) -> None:
        super().__init__()
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[Done, Command]] = deque()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    @property
    def owes(self) -> bool:
        return bool(self._waiting)

    def send(self, done: Done, command: Command) -> None:
        if self.lost.done():
            self._loop.call_soon(done, BrokerUnavailable(CLOSED))
            return
        self._waiting.append((done, command))
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(hiredis.pack_command(command))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._lose()

    def flush(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None and not self.lost.done():
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def doubt(self, command: Command) -> None:  # noqa: ARG002 - all of them go there
        self.close()

    async def servers(self) -> dict[str, Connection]:
        return {"": self}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        reader.feed(data)
        self.heard += 1
        while (reply := reader.gets()) is not False:
            done, command = self._waiting.popleft()
            if is_missing_script(reply) and command[0] == b"EVALSHA":
                self.send(done, whole(command))
            else:
                done(reply)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._lose()

    def _lose(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        while self._waiting:
            self._waiting.popleft()[0](BrokerUnavailable(CLOSED))


async def open_wire(address: Address, timeout: float) -> Wire:
    """Open a connection to the one server at an address, within `timeout` seconds. Raises BrokerUnavailable, or
    BrokerRefused for a bad login."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            if address.path:
                _, wire = await loop.create_unix_connection(Wire, address.path)
            else:
                [(host, port)] = address.nodes
                context = tls_context() if address.tls else None
                _, wire = await loop.create_connection(Wire, host, port, ssl=context)
            await _greet(wire, address)
    except OSError as error:
        raise unavailable(address, error) from error
    return wire


async def _greet(wire: Wire, address: Address) -> None:
    try:
        for command in address.greeting():
            await wire.call(command)
    except BaseException:
        wire.close()
        raise


def tls_context() -> ssl.SSLContext:
    """Certificates are verified, and must name the host as an alternative name: a common name does not count."""
    context = ssl.create_default_context()
    context.hostname_checks_common_name = False
    return context


def unavailable(address: Address, error: Exception) -> BrokerUnavailable:
    """What to tell a person when the broker cannot be reached."""
    if isinstance(error, ssl.SSLCertVerificationError):
        told = f"the certificate of the broker at {address} is refused: {error.verify_message}"
        return BrokerUnavailable(
            told, "let it name the host in broker.url, signed by an authority that this host trusts"
        )
    reason = getattr(error, "strerror", None) or str(error) or "it did not answer in time"
    return BrokerUnavailable(f"no broker at {address}: {reason}", "is it running, and is broker.url right?")
