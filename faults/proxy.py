"""A TCP proxy before the broker: the network's bad days. It delays, narrows, slices, cuts, goes silent, loses replies.

All runs on a loop in a thread of its own; every method may be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from pipeline.broker import parse

PIECE = 1 << 20
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends RST."""


class Cut(Exception):
    """This connection ends here; with `reset` the client is sent RST."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class Link:
    """A client's connection and ours to the broker. `budget` is the bytes that still pass before it is reset."""

    def __init__(self, client: socket.socket, server: socket.socket, budget: int | None) -> None:
        self.client, self.server, self.budget = client, server, budget
        self.doomed = False
        self.dark = False
        self.task: asyncio.Task[None] | None = None


class Proxy:
    """Listens at `url` and passes everything on to the broker at `target`, until it is told otherwise."""

    def __init__(self, target: str, seed: int = 0) -> None:
        self._target = parse(target)
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        login = (
            f"{quote(self._target.username)}:{quote(self._target.password)}@" if self._target.password else ""
        )
        self.url = f"redis://{login}127.0.0.1:{self._listener.getsockname()[1]}"
        self.writes = 0
        """How many pieces came from clients so far; what is written at once comes as one."""
        self.lost = self.resets = self.swallowed = self.delayed = self.sliced = 0
        """How often each fault bit: replies, connections, and pieces."""
        self._links: set[Link] = set()
        self._losing = 0
        self._then: Callable[[], object] = object
        self._reset: tuple[int, int] | None = None
        self.heal()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._accepting = asyncio.run_coroutine_threadsafe(self._accept(), self._loop)

    # --- faults ------------------------------------------------------------------------------------------

    def lose_replies(self, count: int = 1, then: Callable[[], object] = object) -> None:
        """Each of the next `count` replies is lost, and its connection with it: the command was carried out.

        `then` is called, in a thread, between the loss and the end of the connection.
        """
        self._losing, self._then = count, then

    def drop_replies(self, every: int, to: bytes = b"EVALSHA") -> None:
        """The reply to every nth piece that holds `to` is lost, and its connection with it."""
        self._every, self._to, self._seen = every, to, 0

    def slow(self, delay: float, jitter: float = 0.0, rate: int = 0) -> None:
        """Each piece comes late by `delay` +- `jitter` seconds; `rate` is the bytes a second that pass."""
        self._delay, self._jitter, self._rate = delay, jitter, rate

    def slice(self, size: int) -> None:
        """Whatever passes comes in pieces of `size` bytes, each by itself."""
        self._slice = size

    def reset_after(self, least: int, most: int) -> None:
        """Each connection, the open ones too, is reset after a random number of bytes."""
        self._reset = (least, most)
        for link in list(self._links):
            link.budget = self._budget()

    def go_dark(self) -> None:
        """Nothing passes any more and no socket is closed. Connections that saw this stay dark for good."""
        self._dark = True
        for link in list(self._links):
            link.dark = True

    def heal(self) -> None:
        """Every fault ends."""
        self._every, self._to, self._seen = 0, b"", 0
        self._delay = self._jitter = 0.0
        self._rate = self._slice = 0
        self._reset = None
        self._dark = False
        for link in list(self._links):
            link.budget = None

    def hold(self) -> None:
        """Keep replies back until `flow`."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def flow(self) -> None:
        """Let replies through."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def hang_up(self) -> None:
        """Break every connection that was spoken on; new ones are taken."""
        self._do(self._hang_up())

    def close(self) -> None:
        """Hang up, and listen no more."""
        self._accepting.cancel()
        self.hang_up()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what passes -------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _hang_up(self) -> None:
        links = list(self._links)
        tasks = [link.task for link in links if link.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # One that was cancelled before its first step never comes to its end.
        for link in links:
            self._let_go(link)

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                server = await self._dial()
            except BaseException as error:
                client.close()
                if not isinstance(error, OSError):
                    raise
                continue
            link = Link(client, server, self._budget())
            link.dark = self._dark
            self._links.add(link)
            link.task = self._loop.create_task(self._serve(link))

    async def _dial(self) -> socket.socket:
        path = self._target.path
        server = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        server.setblocking(False)
        try:
            await self._loop.sock_connect(server, path or self._target.nodes[0])
        except BaseException:
            server.close()
            raise
        return server

    async def _serve(self, link: Link) -> None:
        ways = [self._loop.create_task(way(link)) for way in (self._ask, self._answer)]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if any(isinstance(error := way.exception(), Cut) and error.reset for way in done):
                link.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._let_go(link)

    def _let_go(self, link: Link) -> None:
        self._links.discard(link)
        link.client.close()
        link.server.close()

    async def _ask(self, link: Link) -> None:
        while data := await self._loop.sock_recv(link.client, PIECE):
            self.writes += 1
            link.doomed = link.doomed or self._dooms(data)
            await self._pass(link, data, link.server)

    async def _answer(self, link: Link) -> None:
        while data := await self._loop.sock_recv(link.server, PIECE):
            await self._flows.wait()
            if self._losing > 0:
                self._losing -= 1
                link.doomed = True
                await asyncio.to_thread(self._then)
            if link.doomed:
                self.lost += 1
                raise Cut
            await self._pass(link, data, link.client)

    async def _pass(self, link: Link, data: bytes, sink: socket.socket) -> None:
        await self._weather(link, data)
        if link.budget is not None:
            link.budget -= len(data)
            if link.budget <= 0:
                self.resets += 1
                with contextlib.suppress(OSError):
                    await self._loop.sock_sendall(sink, data[: link.budget] if link.budget else data)
                raise Cut(reset=True)
        size = self._slice or len(data)
        for start in range(0, len(data), size):
            await self._loop.sock_sendall(sink, data[start : start + size])
            if len(data) > size:
                self.sliced += 1
                await asyncio.sleep(0)  # the other side may run between two slices

    async def _weather(self, link: Link, data: bytes) -> None:
        if link.dark:
            self.swallowed += 1
            await asyncio.Event().wait()
        pause = self._delay + self._random.uniform(-self._jitter, self._jitter)
        if self._rate:
            pause += len(data) / self._rate
        if pause > 0:
            self.delayed += 1
            await asyncio.sleep(pause)

    def _dooms(self, data: bytes) -> bool:
        if not self._every or self._to not in data:
            return False
        self._seen += 1
        return self._seen % self._every == 0

    def _budget(self) -> int | None:
        return self._random.randint(*self._reset) if self._reset else None
