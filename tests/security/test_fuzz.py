"""No bytes end a listener. PIPELINE_FUZZ says how many inputs each gets; a seed plays them again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.plan import HttpPlan
from pipeline.state import state_folder
from pipeline.supervisor.control import ControlSocket
from tests.web.conftest import site
from tests.web.gate import ENVIRONMENT, Gate

__all__ = ["site"]
INPUTS = int(os.environ.get("PIPELINE_FUZZ", "400"))
AT_ONCE = 20
SEED = int(os.environ.get("PIPELINE_FUZZ_SEED", "1"))
SECONDS = 10.0
HOOKS = "\n  open: {path: /hooks/open, verify: {type: none, allow_unsigned: true}, queue: payments, job: capture}\n  stripe: {path: /hooks/stripe, verify: {type: stripe, secret: {secret: new}}, queue: payments, job: capture}\n"
Open = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
ORDERS = [
    b'{"do":"plan","by":"me"}\n',
    b'{"do":"rollback","to":3}\n',
    b'{"do":"restart","queues":["a","b"]}\n',
    b'{"do":"reload","if_generation":7}\n',
]
REQUESTS = [
    b"GET /api/v1/overview HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n",
    b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n" + b'{"user":"alice","password":"xyz"}',
    b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: t=1,v1=00\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /metrics?limit=1&after=%41 HTTP/1.0\r\nHost: [::1]:80\r\nConnection: keep-alive\r\nCookie: a=b; c=d\r\n\r\n",
]  # fmt: skip
PIECES = [b"\r\n", b"\n", b"\x00", b"\xff", b"{", b"[" * 99, b'"', b":", b" ", b"%00", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n", b"9" * 30, b"HTTP/1.1",
          b"\xf0\x9f\x92\xa9", b"a" * 5_000, b"-1", b"null", b"\\ud800", b"\x16\x03\x01"]  # fmt: skip


def mutated(seeds: list[bytes]) -> Iterator[bytes]:
    """Genuine requests with parts cut, doubled, changed and put in."""
    chance = random.Random(SEED)
    for _ in range(INPUTS):
        text = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            at, to = sorted(chance.choices(range(len(text) + 1), k=2))
            match chance.randrange(4):
                case 0:
                    del text[at : min(to, at + 20)]
                case 1:
                    text[at:at] = chance.choice(PIECES)
                case 2:
                    text[at:at] = text[at:to]
                case _ if at < len(text):
                    text[at] = chance.randrange(256)
        yield bytes(text)


async def thrown(data: bytes, open: Open) -> None:
    """Say it, end, and read whatever is answered until the other side hangs up."""
    reader, writer = await open()
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(SECONDS):
            while await reader.read(65_536):
                pass
    writer.close()


async def survives(seeds: list[bytes], open: Open) -> None:
    """Each input ends in time; nothing goes wrong that nobody catches."""
    troubles: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    inputs = list(mutated(seeds))
    for start in range(0, len(inputs), AT_ONCE):
        await asyncio.gather(*(thrown(data, open) for data in inputs[start : start + AT_ONCE]))
    assert troubles == []


@pytest.fixture
async def gate(broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    async with Gate(broker, tmp_path, HOOKS) as gate:
        yield gate


@pytest.mark.security("S33", inputs=INPUTS)
@pytest.mark.timeout(60 + INPUTS)
async def test_the_socket_of_commands_lives_through_any_bytes(root: Path) -> None:
    async def obey(request: Any, say: Any) -> Any:
        return {"by": request.by}

    listening = ControlSocket(state_folder(root), obey)
    await listening.open()
    await survives(ORDERS, lambda: asyncio.open_unix_connection(listening._path))
    reader, writer = await asyncio.open_unix_connection(listening._path)
    writer.write(ORDERS[0])
    assert await reader.readline() == b'{"done":{"by":"me"}}\n'
    writer.close()
    listening.close()


@pytest.mark.security("S33", inputs=INPUTS)
@pytest.mark.timeout(60 + INPUTS)
async def test_the_ingress_lives_through_any_bytes(gate: Gate) -> None:
    await survives(REQUESTS, lambda: asyncio.open_connection("127.0.0.1", gate.port))
    assert (await gate.post("/hooks/open", b'{"id": 1}')).status == 202


@pytest.mark.security("S33", inputs=INPUTS)
@pytest.mark.timeout(60 + INPUTS)
async def test_the_dashboard_lives_through_any_bytes_and_lets_nobody_in(site: Any) -> None:
    here = await site(HttpPlan())
    await survives(REQUESTS, lambda: asyncio.open_connection("127.0.0.1", here.port))
    assert (await here.ask("GET", "/livez")).status == 200
    assert (await here.ask("GET", "/api/v1/overview")).status == 401
