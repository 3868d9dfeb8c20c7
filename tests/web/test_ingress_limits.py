"""What is no webhook is answered cheaply; what the broker does not have is not answered as if it had."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pipeline.web import ingress, request
from tests.conftest import Server, start_server
from tests.web.gate import ENVIRONMENT, Gate

HOOKS = """
  stripe: {path: /hooks/stripe, verify: {type: stripe, secret: {secret: new}}, queue: payments, job: capture}
  open: {path: /hooks/open, verify: {type: none, allow_unsigned: true}, queue: payments, job: capture, max_body: 1KiB}
  large: {path: /hooks/large, verify: {type: none, allow_unsigned: true}, queue: payments, job: capture}
  put: {path: /hooks/put, method: PUT, verify: {type: none, allow_unsigned: true}, queue: payments, job: capture}
"""
EVENT = b'{"id": "evt_1"}'


SOON = 3.0
"""Seconds: the limit is 0.9, and the machine may stand still for a while."""
pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which the broker is only slow because the machine is."""
    monkeypatch.setattr(ingress, "SECONDS", 20.0)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def gate(environment: None, patient: None, broker: str, tmp_path: Path) -> AsyncIterator[Gate]:
    async with Gate(broker, tmp_path, HOOKS) as gate:
        yield gate


@pytest.mark.security("S8")
@pytest.mark.parametrize(
    "path", ["/", "/hooks", "/hooks/stripe/", "/hooks//stripe", "/hooks/./stripe", "/HOOKS/stripe", "/hooks/strip%65",
             "/hooks/stripe;x", "/hooks/stripe.", "/x/../hooks/stripe", "/hooks/stripe%00", "/livez", "/metrics", "/api/v1/overview"],
)  # fmt: skip
async def test_a_path_is_compared_as_it_comes(gate: Gate, path: str):
    got = await gate.post(path, EVENT)
    assert (got.status, got.body, got.headers["connection"]) == (404, b"", "close")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_another_method_is_told_which_one_is_meant(gate: Gate, method: str):
    request = f"{method} /hooks/stripe HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    got = await gate.raw(request)
    assert (got.status, got.headers["allow"]) == (405, "POST")


async def test_a_webhook_can_come_with_put(gate: Gate):
    assert (await gate.post("/hooks/put", EVENT, method="PUT")).status == 202
    assert (await gate.post("/hooks/put", EVENT)).status == 405


@pytest.mark.security("S17", "S19")
@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Type: application/json\r\nContent-Length: 1025", 413),
        ("Content-Type: application/json\r\nContent-Length: 104857600", 413),
        ("Content-Type: application/json\r\nContent-Length: 99999999999999999999", 400),
        ("Content-Type: application/json\r\nContent-Length: -1", 400),
        ("Content-Type: application/json\r\nContent-Length: +15", 400),
        ("Content-Type: application/json\r\nContent-Length: 15\r\nContent-Length: 15", 400),
        ("Content-Type: application/json\r\nContent-Length: 15\r\nTransfer-Encoding: chunked", 400),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 15", 415),
        ("Content-Type: application/json\r\nContent-Encoding: br\r\nContent-Length: 15", 415),
        ("Content-Type: text/plain\r\nContent-Length: 15", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 15", 415),
        ("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 15", 415),
        ("Content-Type: application/jsonp\r\nContent-Length: 15", 415),
        ("Content-Length: 15", 415),
        ("Content-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: 15", 401),
    ],
)
async def test_a_head_that_says_too_much_or_too_little_is_refused(gate: Gate, head: str, status: int):
    got = await gate.raw(f"POST /hooks/open HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + EVENT)
    assert got.status == status
    assert await gate.jobs() == []


@pytest.mark.parametrize(
    "rest", ["\r\n", "Transfer-Encoding: chunked\r\n\r\nf\r\n" + EVENT.decode() + "\r\n0\r\n\r\n"]
)
async def test_a_body_without_a_length_is_not_read(gate: Gate, rest: str):
    got = await gate.raw(
        f"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{rest}".encode()
    )
    assert (got.status, got.json["error"]["code"]) == (411, "length_required")
    assert await gate.jobs() == []


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/cloudevents+json"]
)
async def test_json_has_several_names(gate: Gate, kind: str):
    assert (await gate.post("/hooks/open", EVENT, kind=kind)).status == 202


async def test_a_payload_that_the_queue_does_not_take_is_too_large(gate: Gate):
    got = await gate.post("/hooks/large", b'{"a": "' + b"x" * 70_000 + b'"}')
    assert (got.status, got.json["error"]["code"]) == (413, "payload_too_large")


BODIES = (b"{", b"<a/>", b"", b"\xff\xfe", b"a=1&b=2")
KINDS = (
    "application/json",
    "text/xml",
    "",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
)


@pytest.mark.security("S19", inputs=len(BODIES) * len(KINDS))
async def test_a_signature_is_looked_at_before_the_body_is_read_as_anything(gate: Gate):
    for body, kind in itertools.product(BODIES, KINDS):
        assert (await gate.post("/hooks/stripe", body, kind=kind)).status == 401, (body, kind)


async def test_a_body_that_does_not_come_is_given_up(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(request, "BODY_SECONDS", 0.1)
    got = await gate.raw(b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{")
    assert (got.status, got.headers["connection"]) == (408, "close")


async def test_slow_senders_do_not_hold_up_the_others(gate: Gate):
    head = b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"
    slow = [await asyncio.open_connection("127.0.0.1", gate.port) for _ in range(200)]
    for _, writer in slow:
        writer.write(head)
    took = []
    for number in range(50):
        begun = time.monotonic()
        assert (await gate.post("/hooks/open", b'{"n": %d}' % number)).status == 202
        took.append(time.monotonic() - begun)
    for _, writer in slow:
        writer.close()
    assert max(took) < 5.0


# --- when the broker is away -------------------------------------------------------------------------------


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that a test may stop."""
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    running = start_server(folder)
    yield running
    running.process.send_signal(signal.SIGCONT)
    running.process.kill()
    running.process.wait()
    shutil.rmtree(folder)


@pytest.fixture
async def alone(environment: None, own_server: Server, tmp_path: Path) -> AsyncIterator[Gate]:
    async with Gate(own_server.url, tmp_path, HOOKS) as gate:
        assert (await gate.post("/hooks/open", EVENT)).status == 202
        yield gate


async def test_a_broker_that_is_gone_is_told_within_a_second(alone: Gate, own_server: Server):
    own_server.process.kill()
    own_server.process.wait()
    begun = time.monotonic()
    got = await alone.send("stripe", EVENT)
    assert (got.status, got.body, got.headers["retry-after"]) == (503, b"", str(ingress.RETRY_SECONDS))
    assert time.monotonic() - begun < SOON
    assert alone.shop.received["stripe", "unavailable"] == 1


async def test_a_broker_that_stands_still_is_told_and_what_it_got_meanwhile_is_one_job(
    alone: Gate, own_server: Server
):
    os.kill(own_server.process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    got = await asyncio.gather(*(alone.send("stripe", id=f"evt_{n % 5}") for n in range(20)))
    assert {one.status for one in got} == {503}
    assert time.monotonic() - begun < 2 * SOON
    os.kill(own_server.process.pid, signal.SIGCONT)
    # What reached the server before it stood still is there now, and the senders do not know: they send it again.
    again = await asyncio.gather(*(alone.send("stripe", id=f"evt_{n % 5}") for n in range(20)))
    assert {one.status for one in again} <= {200, 202}
    assert sorted(job.id for job in await alone.jobs() if job.id.startswith("stripe")) == [
        f"stripe:evt_{n}" for n in range(5)
    ]


async def test_an_answer_that_was_lost_does_not_make_a_second_job(patient: None, alone: Gate):
    """Also of an event without an id: the call is repeated, and the broker remembers it."""
    before = len(await alone.jobs())
    await alone.ask("CLIENT", "NO-EVICT", "on")
    sending = [asyncio.create_task(alone.post("/hooks/open", b'{"n": %d}' % n)) for n in range(50)]
    await asyncio.sleep(0.005)
    await alone.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    got = await asyncio.gather(*sending)
    assert {one.status for one in got} == {202}
    jobs = await alone.jobs()
    assert len(jobs) - before == 50
    assert len({one.json["id"] for one in got}) == 50


async def test_a_full_broker_takes_nothing_and_says_so(patient: None, alone: Gate):
    await alone.ask("CONFIG", "SET", "maxmemory", "1mb")
    await alone.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    got = await alone.send("stripe", EVENT)
    assert (got.status, "retry-after" in got.headers) == (503, True)
    await alone.ask("CONFIG", "SET", "maxmemory", "0")
    assert (await alone.send("stripe", EVENT)).status == 202


async def test_a_queue_that_is_gone_is_no_fault_of_the_senders(alone: Gate):
    await alone.ask("HDEL", "{shop:payments}:meta", "policy", "generation")
    await alone.ask("HSET", "{shop:payments}:meta", "removed", "2")
    alone.ingress._client._policies._known.clear()
    assert (await alone.send("stripe", EVENT)).status == 503


async def test_an_answer_waits_for_the_confirmation_that_the_file_asks_for(broker: str, tmp_path: Path):
    """A server without an append-only file confirms nothing: then nothing is answered as if it were safe."""
    async with Gate(broker, tmp_path, HOOKS) as gate:
        await gate.ask("HSET", "{shop:payments}:meta", "confirm", "1")
        begun = time.monotonic()
        got = await gate.send("stripe", EVENT)
        assert (got.status, time.monotonic() - begun < SOON) == (503, True)
        await gate.ask("HDEL", "{shop:payments}:meta", "confirm")
        gate.ingress._client._policies._known.clear()
        again = await gate.send("stripe", EVENT)
        assert (again.status, again.json["status"]) == (200, "duplicate")
        assert [job.id for job in await gate.jobs()] == ["stripe:evt_1"]
