"""The API of a running shop: a real socket, a real broker, and jobs that are moved by hand."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.broker import parse
from pipeline.config.load import load
from pipeline.job import KeptError, Outcome
from pipeline.plan import HttpPlan, Plan, TokenPlan, WebPlan
from pipeline.store import history, keys
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.flows import FlowStore
from pipeline.store.history import Applied
from pipeline.store.schedules import Schedules
from pipeline.supervisor.publish import publish_queue
from pipeline.web.app import App
from pipeline.web.routes import Router
from pipeline.web.shop import Shop
from tests.store.conftest import Bench as StoreBench
from tests.web.conftest import Answer, Site

ROLES = ("viewer", "operator", "admin")
SHOP: dict[str, Any] = {
    "name": "shop",
    "http": {},
    "alerts": {"oncall": {"url": "https://hooks.example.com/T0/secret-part"}},
    "queues": {
        "emails": {
            "handler": "hands:send",
            "jobs": {"receipt": {"schema": "receipt.json", "retry": {"attempts": 3}}},
            "redact": ["data.card", "data.customers.*.email", "result.token"],
            "dead_letter": {"queue": "morgue", "alert": "oncall"},
        },
        "morgue": {"handler": None},
        "stock": {"handler": "hands:sync", "lanes": {"key": "{data.sku}", "max_active": 1}},
    },
    "schedules": {"nightly": {"queue": "emails", "job": "digest", "cron": "15 2 * * *", "data": {"card": "4242-secret", "mode": "full"}}},
    "flows": {
        "order": {
            "steps": {
                "pay": {"queue": "emails", "job": "pay", "data": {"card": "{data.payment.number}", "order": "{data.id}"}},
                "pack": {"queue": "stock", "job": "pack", "needs": ["pay"], "data": {"sku": "{data.sku}"}},
            }
        }
    },
}  # fmt: skip
SCHEMA = {"type": "object", "properties": {"order": {"type": "integer"}}}


def plan_of(document: dict[str, Any], root: Path, broker: str) -> Plan:
    """The plan of a document, whose file lies in `root`."""
    (root / "receipt.json").write_text(json.dumps(SCHEMA))
    file = root / "shop.yaml"
    file.write_text(json.dumps(document | {"broker": {"url": broker}}))
    loaded = load(file)
    assert loaded.plan is not None, [finding.message for finding in loaded.findings]
    return loaded.plan


class Api(Site):
    """`ask` sends a request with the token of a role, an admin's unless told."""

    def __init__(self, root: Path, broker: str, plan: Plan) -> None:
        http = HttpPlan(tokens={role: TokenPlan(role, role, env=f"TOKEN_{role}") for role in ROLES})  # type: ignore[arg-type]
        super().__init__(root, broker, http, ())
        self.shop = Shop(WebPlan(replace(plan, root=str(root), http=http), broker, 1, self.at, self.at))
        self.app = App(self.shop, Router())
        self.server.config.loaded_app = self.app
        self.server.config.app = self.app

    async def ask(
        self, method: str, path: str, body: Any = None, *, role: str = "admin", **given: Any
    ) -> Answer:
        """`path` is what stands behind /api/v1/."""
        given = {"authorization": f"Bearer {token(role)}"} | given
        return await super().ask(method, f"/api/v1/{path}", body, **given)

    async def get(self, path: str, **given: Any) -> Any:
        """The JSON of an answer that is one."""
        answer = await self.ask("GET", path, **given)
        assert answer.status == 200, answer.body
        return answer.json

    async def do(self, path: str, body: Any = None, *, method: str = "POST", **given: Any) -> Any:
        """The JSON of a change that was made."""
        answer = await self.ask(method, path, body, **given)
        assert answer.status in (200, 201, 202), answer.body
        return answer.json

    async def ended(self, task: str) -> dict[str, Any]:
        """A task, once it has ended."""
        until = time.monotonic() + 10
        while True:
            found = (await self.get(f"tasks/{task}"))["task"]
            if found["finished_at"] is not None:
                return dict(found)
            assert time.monotonic() < until, found
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.shop.stopping.set()
        self.shop.desk.close()
        await super().close()


def token(role: str) -> str:
    return f"a-long-token-of-the-{role}"


class Bench(StoreBench):
    """The queue `emails` of the shop, moved by hand."""

    def publish(self, policy: Any) -> None:
        """The site has done it."""

    def put(self, data: Any, name: str = "send", queue: str = "emails", **options: Any) -> str:
        return self.client.enqueue(queue, name, data, **options).id

    def dead(self, data: Any, message: str = "too slow", type: str = "TimeoutError", traceback: str = "Traceback ...", **options: Any) -> str:  # fmt: skip
        id = self.put(data, **options)
        self.die(KeptError(1, 1_000, type, message, traceback), at=int(time.time() * 1000))
        return id

    def completed(self, data: Any, result: Any = None) -> str:
        self.put(data)
        return self.end("completed", outcome=Outcome(1, 10, 20, result))


Open = Callable[..., Any]


@pytest.fixture
async def opened(broker: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Opens the API of a document, whose policies are published as a supervisor does."""
    for role in ROLES:
        monkeypatch.setenv(f"TOKEN_{role}", token(role))
    root = Path(tempfile.mkdtemp(prefix="pq-"))
    found: list[Api] = []

    async def build(document: dict[str, Any] = SHOP) -> Api:
        plan = plan_of(document, root, broker)
        await publish(plan, broker)
        api = Api(root, broker, plan)
        await api.open()
        found.append(api)
        return api

    yield build
    for api in found:
        await api.close()
    shutil.rmtree(root)


async def publish(plan: Plan, broker: str, generation: int = 1) -> None:
    """What a supervisor tells the broker when it starts."""
    connection = await connect(parse(broker))
    for policy in plan.queues.values():
        await publish_queue(connection, plan.name, policy, generation)
        own = {name: one for name, one in plan.schedules.items() if one.queue == policy.name}
        await run(connection, Schedules(plan.name, policy.name).arrange(generation, own))
    for name, flow in plan.flows.items():
        await run(connection, FlowStore(plan.name, name).publish(generation, flow))
        await connection.call(("SADD", keys.flows(plan.name), name))
    await connection.call(("SADD", keys.queues(plan.name), *plan.queues))
    await connection.call(("RPUSH", keys.generations(plan.name), plan.hash))
    await history.remember(
        connection, plan.name, Applied(generation, plan.hash, 1_000, "ann@host", plan.file, "start", plan)
    )
    connection.close()


@pytest.fixture
async def api(opened: Open) -> Api:
    """The API of the shop."""
    api: Api = await opened()
    return api


@pytest.fixture
def bench(api: Api, broker: str):
    bench = Bench(broker)
    yield bench
    bench.client.close()
    bench.connection.close()
