"""An ingress on a port of its own, over a real broker, with the webhooks that a test writes."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any, NamedTuple, Self

from pipeline.broker import parse
from pipeline.config.load import load
from pipeline.plan import Plan, WebPlan
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.reader import JobView, Reader
from pipeline.supervisor.publish import publish_queue
from pipeline.web.ingress import Ingress
from pipeline.web.serve import Server
from pipeline.web.shop import Shop
from pipeline.web.sign import signed_headers
from pipeline.webhook import key_of
from tests.acl import as_admin

SECRET = "a-secret-that-nobody-guesses-0123456789"
OLD = "an-older-secret-that-nobody-guesses-01234"
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {"NEW": SECRET, "OLD": OLD, "STANDARD": STANDARD}
HEAD = """\
name: shop
secrets: {new: {env: NEW}, old: {env: OLD}, standard: {env: STANDARD}}
queues:
  payments: {handler: "m:f", jobs: {capture: {handler: "m:f"}}, max_payload: 64KiB}
  orders: {jobs: {order.created: {handler: "m:f"}}}
webhooks:
"""


class Got(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Gate:
    """Serves `webhooks`, YAML below the key of that name. Use it in `async with`."""

    def __init__(self, broker: str, root: Path, webhooks: str) -> None:
        self.broker = broker
        self._root = root
        self.plan = self.plan_of(webhooks)

    def plan_of(self, webhooks: str, head: str = HEAD) -> Plan:
        file = self._root / "shop.yaml"
        file.write_text(head + webhooks)
        loaded = load(file, env=ENVIRONMENT, secrets="required")
        assert loaded.plan is not None, [one.message for one in loaded.findings]
        return loaded.plan

    async def __aenter__(self) -> Self:
        connection = await connect(parse(self.broker))
        for policy in self.plan.queues.values():
            await publish_queue(connection, self.plan.name, policy, 1)
        connection.close()
        self.shop = Shop(WebPlan(self.plan, self.broker, 1, "", ""))
        self.ingress = Ingress(self.shop)
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._server = Server(self.ingress, listening, None, lambda _: True)
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(1)
        await self.ingress.close()
        await self.shop.client.close()

    def change(self, webhooks: str) -> None:
        """Another file counts."""
        self.shop.plan = self.plan_of(webhooks)
        self.ingress.change()

    def sign(
        self, webhook: str, body: bytes, *, id: str = "e1", secret: str = SECRET, at: int | None = None
    ) -> dict[str, str]:
        """The headers of a genuine request."""
        verify = self.shop.plan.webhooks[webhook].verify
        now = self.shop.clock() // 1000 if at is None else at
        return signed_headers(verify, key_of(verify, secret), body, now, id)

    async def post(
        self,
        path: str,
        body: bytes = b"{}",
        headers: dict[str, str] | None = None,
        *,
        method: str = "POST",
        kind: str = "application/json",
    ) -> Got:
        """One request on a connection of its own."""
        own = {"Host": "x", "Content-Length": str(len(body)), "Content-Type": kind, **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in own.items() if value)]
        return await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def send(self, webhook: str, body: Any = None, *, id: str = "e1", **more: Any) -> Got:
        """A genuine request."""
        written = (
            body if isinstance(body, bytes) else json.dumps({"id": id} if body is None else body).encode()
        )
        plan = self.shop.plan.webhooks[webhook]
        return await self.post(
            plan.path, written, self.sign(webhook, written, id=id, **more), method=plan.method
        )

    async def raw(self, request: bytes) -> Got:
        """What comes back for these bytes, until a whole answer is there or the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await answer(reader)
        finally:
            writer.close()

    async def jobs(self, queue: str = "payments") -> list[JobView]:
        """The jobs that are kept."""
        connection = await connect(parse(self.broker))
        try:
            kept = await connection.call(("HKEYS", keys.jobs(keys.base(self.plan.name, queue))))
            ids = sorted(id.decode() for id in kept)
            shown = await run(connection, Reader(self.plan.name, queue).show(ids, None)) if ids else []
            return [job for job in shown if job is not None]
        finally:
            connection.close()

    async def ask(self, *command: Any) -> Any:
        connection = await connect(parse(as_admin(self.broker)))
        try:
            return await connection.call(command)
        finally:
            connection.close()


async def answer(reader: asyncio.StreamReader) -> Got:
    """The next answer on a connection."""
    async with asyncio.timeout(15):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in head[1:] if line)
        headers = {name.lower(): value for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Got(int(head[0].split()[1]), body, headers)
