"""Our own connections to the broker: RESP over hiredis' parser. One for asyncio, one that blocks.

`Connection` pipelines: what is called within one tick of the loop leaves in one write, and replies are
matched in order; a caller that is cancelled leaves its place in the line, so replies can never shift.
No command is ever repeated here: a caller that repeats one must know that this is harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis
from msgspec import Struct

from pipeline.errors import BrokerRefused, BrokerUnavailable
from pipeline.store.refusals import refusal
from pipeline.store.scripts import whole

Reply = Any
Command = tuple[Any, ...]
CLOSED = "the broker closed the connection"


class Address(Struct, frozen=True):
    """Where a broker listens, and who we are there."""

    host: str = ""
    port: int = 6379
    path: str = ""
    username: str = ""
    password: str = ""
    db: int = 0
    tls: bool = False

    def __str__(self) -> str:
        """For people: without the password."""
        return f"unix://{self.path}" if self.path else f"{self.host}:{self.port}"

    def greeting(self) -> list[Command]:
        """The commands that a new connection begins with."""
        commands: list[Command] = []
        if self.password:
            commands.append(("AUTH", self.username or "default", self.password))
        if self.db:
            commands.append(("SELECT", self.db))
        return commands


def parse(url: str) -> Address:
    """`redis://`, `rediss://` or `unix://` as an Address. Raises ValueError for another scheme."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"a broker's URL begins with redis://, rediss:// or unix://, not {parts.scheme}://")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    database = parse_qs(parts.query).get("db", ["0"])[0]
    if parts.scheme == "unix":
        return Address(path=unquote(parts.path), username=user, password=password, db=int(database))
    database = parts.path.strip("/") or database
    host, port = parts.hostname or "127.0.0.1", parts.port or 6379
    return Address(host, port, "", user, password, int(database), tls=parts.scheme == "rediss")


def checked(reply: Reply) -> Reply:
    """The reply, unless it is none. Raises BrokerRefused or BrokerUnavailable."""
    if isinstance(reply, hiredis.ReplyError):
        raise refusal(reply)
    if isinstance(reply, BrokerUnavailable):
        raise reply
    return reply


def is_missing_script(reply: Reply) -> bool:
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")


class Connection(asyncio.Protocol):
    """One pipelining connection. Open it with `connect`; it stays usable until `lost` is done."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[Callable[[Reply], None], Command]] = deque()
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.heard = 0
        """How many pieces came from the broker so far."""

    @property
    def owes(self) -> bool:
        """Whether a reply is awaited."""
        return bool(self._waiting)

    def send(self, done: Callable[[Reply], None], command: Command) -> None:
        """Send a command; `done` is called with the reply, which is an exception when there is none."""
        if self.lost.done():
            self._loop.call_soon(done, BrokerUnavailable(CLOSED))
            return
        self._waiting.append((done, command))
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(hiredis.pack_command(command))

    def post(self, command: Command) -> asyncio.Future[Reply]:
        """Send a command; the future's result is the reply, for `checked`."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        self.send(lambda reply: None if future.done() else future.set_result(reply), command)
        return future

    async def call(self, command: Command) -> Reply:
        """Send a command and return its reply. Raises BrokerRefused or BrokerUnavailable."""
        return checked(await self.post(command))

    def close(self) -> None:
        """Hang up; whoever waits for a reply gets BrokerUnavailable."""
        if self._transport is not None:
            self._transport.abort()
        self._lose()

    def flush(self) -> None:
        """Write now what would leave with this tick of the loop."""
        out, self._out = self._out, []
        if out and self._transport is not None and not self.lost.done():
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

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


async def connect(address: Address, timeout: float = 5.0) -> Connection:
    """Open a connection within `timeout` seconds. Raises BrokerUnavailable, or BrokerRefused for a bad login."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            if address.path:
                _, connection = await loop.create_unix_connection(Connection, address.path)
            else:
                context = ssl.create_default_context() if address.tls else None
                _, connection = await loop.create_connection(
                    Connection, address.host, address.port, ssl=context
                )
            await _greet(connection, address)
    except OSError as error:
        raise unavailable(address, error) from error
    return connection


async def _greet(connection: Connection, address: Address) -> None:
    try:
        for command in address.greeting():
            await connection.call(command)
    except BaseException:
        connection.close()
        raise


def unavailable(address: Address, error: Exception) -> BrokerUnavailable:
    """What to tell a person when the broker cannot be reached."""
    reason = getattr(error, "strerror", None) or str(error) or "it did not answer in time"
    return BrokerUnavailable(f"no broker at {address}: {reason}", "is it running, and is broker.url right?")


class BlockingConnection:
    """A connection for code without a loop: one command at a time, each within `timeout` seconds."""

    def __init__(self, address: Address, timeout: float = 5.0) -> None:
        self._reader = hiredis.Reader()
        try:
            self._socket = self._open(address, timeout)
            for command in address.greeting():
                self.call(command)
        except OSError as error:
            raise unavailable(address, error) from error
        except BrokerRefused:
            self.close()
            raise

    @staticmethod
    def _open(address: Address, timeout: float) -> socket.socket:
        if address.path:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(timeout)
                sock.connect(address.path)
            except OSError:
                sock.close()
                raise
        else:
            sock = socket.create_connection((address.host, address.port), timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls:
            return ssl.create_default_context().wrap_socket(sock, server_hostname=address.host)
        # The kernel keeps the time limit: Python's own costs a poll before every read and write.
        sock.settimeout(None)
        limit = struct.pack("@ll", int(timeout), int(timeout % 1 * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return sock

    def call(self, command: Command) -> Reply:
        """The reply. Raises BrokerRefused; BrokerUnavailable when the outcome is unknown, and hangs up."""
        reply = self._exchange(hiredis.pack_command(command), 1)[0]
        if isinstance(reply, hiredis.ReplyError):
            if is_missing_script(reply) and command[0] == b"EVALSHA":
                return self.call(whole(command))
            raise refusal(reply)
        return reply

    def call_both(self, command: Command, second: Command) -> tuple[Reply, Reply]:
        """Two commands in one write. As `call` for the first; the second one's reply may be an error."""
        sent = hiredis.pack_command(command) + hiredis.pack_command(second)
        reply, after = self._exchange(sent, 2)
        if isinstance(reply, hiredis.ReplyError):
            if is_missing_script(reply) and command[0] == b"EVALSHA":
                return self.call_both(whole(command), second)
            raise refusal(reply)
        return reply, after

    def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        """Several commands in one write, for `checked`: an error is a reply. Raises BrokerUnavailable."""
        if not commands:
            return []
        replies = self._exchange(b"".join(map(hiredis.pack_command, commands)), len(commands))
        missing = [n for n, reply in enumerate(replies) if is_missing_script(reply)]
        for n in missing:
            replies[n] = self.call(whole(commands[n]))
        return replies

    def _exchange(self, data: bytes, count: int) -> list[Reply]:
        """Send commands, and read so many replies."""
        replies: list[Reply] = []
        try:
            self._socket.sendall(data)
            while len(replies) < count:
                while (reply := self._reader.gets()) is False:
                    received = self._socket.recv(65536)
                    if not received:
                        raise ConnectionResetError(CLOSED)  # noqa: TRY301 - as when the system says so
                    self._reader.feed(received)
                replies.append(reply)
        except OSError as error:
            self.close()
            reason = "it is silent" if isinstance(error, BlockingIOError) else str(error)
            raise BrokerUnavailable(f"no answer from the broker: {reason}") from error
        except BaseException:
            # The reply to a call that was interrupted must not be taken for the next one's.
            self.close()
            raise
        return replies

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.close()
