"""An app on a socket: uvicorn's HTTP, with limits for who is slow, large or many."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_SECONDS = 5.0
IDLE_SECONDS = 60
WRITE_SECONDS = 30.0
MOST_HEAD = 32 * 1024
MOST_CONNECTIONS = 2_000
MOST_OF_ONE = 200
"""From one address; proxies and this host itself bring many."""
GRACE_SECONDS = 0.2
_ONCE = (b"host", b"content-length", b"transfer-encoding")


class Malformed(ValueError):
    """A head that two readers could understand in two ways."""


class Connection(HttpToolsProtocol):
    """One connection. A head has to come at once and be short; an answer has to be taken."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.config, server.state, {})
        self._own = server
        self._counted = ""
        self._head_size = 0
        self._head_done = False
        self._head_limit: asyncio.TimerHandle | None = None
        self._write_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._own.take(address):
            transport.abort()
            return
        self._counted = address
        self._own.standing.add(self)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._own.standing.discard(self)
        self._own.give_back(self._counted)
        for timer in (self._head_limit, self._write_limit):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._head_done and self._head_limit is None and not self.transport.is_closing():
            self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_size, self._head_done = 0, False

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._grow(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        check(self.headers, self.parser.get_http_version())
        self._head_done = True
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None
        super().on_headers_complete()
        if self._own.leaving:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        self._head_done = False
        super().on_response_complete()

    def hurry(self) -> None:
        """The answer that is under way is the last one."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_limit = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_limit is not None:
            self._write_limit.cancel()
            self._write_limit = None

    def _grow(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MOST_HEAD:
            raise Malformed(f"a head has {MOST_HEAD} bytes at most")

    def _expect_head(self) -> None:
        self._head_limit = self.loop.call_later(HEAD_SECONDS, self.transport.abort)


def check(headers: list[tuple[bytes, bytes]], version: str) -> None:
    """Raises Malformed for a head that a proxy before us may have read otherwise."""
    names = Counter(name for name, _ in headers)
    if any(names[name] > 1 for name in _ONCE):
        raise Malformed("a header is there twice")
    if names[b"content-length"] and names[b"transfer-encoding"]:
        raise Malformed("there are two lengths")
    if version not in ("1.0", "1.1"):
        raise Malformed("this is another HTTP")
    if version == "1.1" and not names[b"host"]:
        raise Malformed("there is no host")


class Server:
    """Serves `app` on a socket that listens already. `crowded` are the addresses that may open as many connections as
    all together."""

    def __init__(
        self, app: Any, sock: socket.socket, tls: ssl.SSLContext | None, crowded: Callable[[str], bool]
    ) -> None:
        # Our own app says what went wrong; what strangers send is no news.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        self.config = Config(
            app, log_config=None, access_log=False, ws="none", lifespan="off", proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS, http=HttpToolsProtocol,
        )  # fmt: skip
        self.config.load()
        self.state = ServerState()
        self._sock = sock
        self._tls = tls
        self._crowded = crowded
        self._open: Counter[str] = Counter()
        self._clock: asyncio.TimerHandle | None = None
        self.standing: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.leaving = False
        """No connection is used on after the answer that is under way."""

    async def start(self) -> None:
        """Accept connections from now on."""
        self._tell_time()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            sock=self._sock,
            ssl=self._tls,
            ssl_handshake_timeout=HEAD_SECONDS if self._tls is not None else None,
            backlog=self.config.backlog,
        )

    async def stop(self, seconds: float) -> None:
        """Accept no more; let what was asked be answered, for so long at most."""
        # What stands in line already is taken in first: nobody else would answer it.
        await asyncio.sleep(0)
        self._server.close()
        self.leaving = True
        for connection in list(self.standing):
            connection.hurry()
        # Whoever asks within this time on a connection that stands is answered, and told to come back on another one.
        await asyncio.sleep(min(GRACE_SECONDS, seconds))
        for connection in list(self.standing):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
                if self.state.tasks:
                    await asyncio.wait(self.state.tasks)
        for connection in list(self.standing):
            connection.transport.abort()
        if self._clock is not None:
            self._clock.cancel()

    def take(self, address: str) -> bool:
        """Whether one more connection from there is let in."""
        if self._open.total() >= MOST_CONNECTIONS:
            return False
        if self._open[address] >= MOST_OF_ONE and not self._crowded(address):
            return False
        self._open[address] += 1
        self._empty.clear()
        return True

    def give_back(self, address: str) -> None:
        """A connection has ended; "" for one that was not let in."""
        if address in self._open:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
        if not self._open:
            self._empty.set()

    def _tell_time(self) -> None:
        self.state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        self._clock = asyncio.get_running_loop().call_later(1.0, self._tell_time)
