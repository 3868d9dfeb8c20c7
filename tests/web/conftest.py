"""A site for a test: the dashboard's app on a real socket, with a broker behind it."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from pipeline.plan import BrokerPlan, HttpPlan, Plan, SupervisorPlan, WebPlan
from pipeline.web.app import App
from pipeline.web.identity import Crowd
from pipeline.web.route import Route
from pipeline.web.routes import ROUTES, Router
from pipeline.web.serve import Server
from pipeline.web.shop import Shop

SECONDS = 20.0


class Answer(Struct):
    """What came back. `headers` are by their names in small letters; of one that comes twice the last."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Why it was refused."""
        return str(self.json["error"]["code"])


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer:
    """One answer from a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    size = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
    return Answer(int(head[0].split()[1]), headers, await reader.readexactly(size))


class Site:
    """`ask` sends one request on a connection of its own."""

    def __init__(self, root: Path, broker: str, http: HttpPlan, routes: tuple[Route, ...]) -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        self.at = f"127.0.0.1:{self.port}"
        plan = Plan(
            "test", str(root), "p.yaml", "h", BrokerPlan(broker), SupervisorPlan(), None, {}, {}, http=http
        )
        listen = self.at if http.listen.startswith("127.") else http.listen
        self.shop = Shop(WebPlan(plan, broker, 1, listen, self.at))
        self.app = App(self.shop, Router((*ROUTES, *routes)))
        self.server = Server(self.app, sock, None, Crowd(http))

    async def open(self) -> None:
        self._line = asyncio.ensure_future(self.shop.line.run())
        await self.server.start()
        async with asyncio.timeout(SECONDS):
            await self.shop.line.up.wait()

    async def close(self) -> None:
        await self.server.stop(0.05)
        self._line.cancel()
        await asyncio.gather(self._line, return_exceptions=True)
        await self.shop.client.close()

    async def ask(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> Answer:
        """`body` goes out as JSON. A header `x_y` is sent as `x-y`."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"host": self.at, "connection": "close"}
        if content:
            sent |= {"content-length": str(len(content)), "content-type": "application/json"}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (sent | given).items())]
        return await self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + content, method)

    async def send(self, data: bytes, method: str = "GET") -> Answer:
        """Bytes as they are, and the first answer to them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(SECONDS):
                writer.write(data)
                return await read_answer(reader, method)
        finally:
            writer.close()

    async def sign_in(self, **credentials: str) -> dict[str, str]:
        """The headers of somebody who signed in, for every change."""
        answer = await self.ask("POST", "/api/v1/session", credentials)
        assert answer.status == 200, answer.body
        return {"cookie": answer.headers["set-cookie"].partition(";")[0], "x_csrf_token": answer.json["csrf"]}


Build = Callable[..., Any]


@pytest.fixture
async def site(broker: str) -> AsyncIterator[Build]:
    """Opens sites, by HttpPlan and more routes; all of one test share their state folder."""
    root = Path(tempfile.mkdtemp(prefix="pq-"))
    opened: list[Site] = []

    async def build(http: HttpPlan, *, routes: tuple[Route, ...] = (), url: str = broker) -> Site:
        made = Site(root, url, http, routes)
        await made.open()
        opened.append(made)
        return made

    yield build
    for made in opened:
        await made.close()
    shutil.rmtree(root)
