"""Connections: heads that can be read in two ways, and whoever is slow, large or many."""

from __future__ import annotations

import asyncio
import time

import pytest

from pipeline.plan import HttpPlan
from pipeline.web import request as bodies
from pipeline.web import serve
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop
from tests.web.conftest import read_answer


async def size(shop: Shop, request: Request) -> Response:
    return as_json(len(request.body))


SIZE = (Route("POST", "/size", "open", size, "How long the body is.", most_body=1_000, audited=False),)
ANYONE = HttpPlan(auth="none")
HOST = "Host: localhost\r\n"
BODY = "Content-Type: application/json\r\n"

HEADS = [
    "POST /size HTTP/1.1\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}{HOST}\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Host: evil\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Transfer-Encoding: xchunked\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, identity\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: -1\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: +3\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 0x3\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 3 3\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 99999999999999999999999\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length : 3\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST} folded: x\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}X: a\x00b\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}X\x01: a\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}: a\r\n\r\n",
    f"POST /size HTTP/9.9\r\n{HOST}\r\n",
    f"POST /size HTTPS/1.1\r\n{HOST}\r\n",
    f"POST /size\r\n{HOST}\r\n",
    f"BREW /size HTTP/1.1\r\n{HOST}\r\n",
    f"post /size HTTP/1.1\r\n{HOST}\r\n",
    f"CONNECT x HTTP/1.1\r\n{HOST}\r\n",
    f"GET http:// HTTP/1.1\r\n{HOST}\r\n",
    f"GET /\x7f HTTP/1.1\r\n{HOST}\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS here",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}{BODY}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}{BODY}Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}{BODY}Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}X: " + "a" * 40_000 + "\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}" + "".join(f"X{n}: {'a' * 50}\r\n" for n in range(1_000)) + "\r\n",
    "GET /" + "a" * 40_000 + f" HTTP/1.1\r\n{HOST}\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 3, 3\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Content-Length: 3;4\r\n\r\nabc",
    f"POST /size HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    f"POST /size HTTP/1.1\r\n{HOST}Transfer-Encoding: identity\r\n\r\nabc",
]  # fmt: skip


@pytest.mark.security("S17", inputs=len(HEADS))
async def test_a_head_that_two_readers_could_understand_in_two_ways_gets_one_refusal_and_no_more(
    site,
) -> None:
    here = await site(ANYONE, routes=SIZE)
    smuggled = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for head in HEADS:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write((head + smuggled).encode("latin-1"))
        async with asyncio.timeout(15):
            answered = await reader.read()
        assert answered.count(b"HTTP/1.1 ") <= 1, head
        assert not answered or int(answered.split()[1]) >= 400, (head, answered)
        assert b'"live"' not in answered
        writer.close()
        await writer.wait_closed()
    assert (await here.ask("GET", "/livez")).status == 200


@pytest.mark.security("S17")
@pytest.mark.parametrize(
    "names",
    [["host", "host"], ["host", "content-length", "content-length"], ["host", "content-length", "transfer-encoding"],
     ["host", "transfer-encoding", "transfer-encoding"], []],
)  # fmt: skip
def test_whatever_the_parser_lets_pass_a_head_has_one_host_and_one_length(names) -> None:
    serve.check([(b"host", b"a"), (b"x", b""), (b"x", b"")], "1.1")
    with pytest.raises(serve.Malformed):
        serve.check([(name.encode(), b"1") for name in names], "1.1")


async def test_a_body_may_have_so_many_bytes_whether_it_says_so_or_not(site) -> None:
    here = await site(ANYONE, routes=SIZE)
    assert (await here.ask("POST", "/size", raw=b"1" * 1_000)).json == 1_000
    said = await here.ask("POST", "/size", raw=b"1" * 1_001)
    assert (said.status, said.code, said.headers["connection"]) == (413, "payload_too_large", "close")
    head = f"POST /size HTTP/1.1\r\n{HOST}{BODY}Transfer-Encoding: chunked\r\n\r\n".encode()
    unsaid = await here.send(head + b"fff\r\n" + b"1" * 0xFFF + b"\r\n")
    assert unsaid.status == 413


@pytest.mark.security("S18")
async def test_a_body_of_a_hundred_megabytes_is_refused_before_it_is_read(site) -> None:
    here = await site(ANYONE, routes=SIZE)
    head = f"POST /size HTTP/1.1\r\n{HOST}{BODY}Content-Length: 104857600\r\n\r\n".encode()
    begun = time.monotonic()
    assert (await here.send(head)).status == 413
    assert time.monotonic() - begun < 2


@pytest.mark.security("S18")
async def test_a_packed_body_is_not_unpacked(site) -> None:
    here = await site(ANYONE, routes=SIZE)
    assert (await here.ask("POST", "/size", {}, content_encoding="gzip")).status == 415


async def test_whoever_sends_a_body_too_slowly_is_told_so(site, monkeypatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)
    here = await site(ANYONE, routes=SIZE)
    head = f"POST /size HTTP/1.1\r\n{HOST}{BODY}Content-Length: 10\r\n\r\n123".encode()
    answer = await here.send(head)
    assert (answer.status, answer.headers["connection"]) == (408, "close")


@pytest.mark.security("S18", inputs=4)
async def test_whoever_sends_no_head_is_hung_up_on_and_whoever_trickles_one_too(site, monkeypatch) -> None:
    monkeypatch.setattr(serve, "HEAD_SECONDS", 0.1)
    here = await site(ANYONE, routes=SIZE)
    for begun in (b"", b"GET / HT", f"GET /livez HTTP/1.1\r\n{HOST}".encode(), b"\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(begun)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_after_an_answer_a_connection_is_used_on_and_its_next_head_has_the_same_limit(
    site, monkeypatch
) -> None:
    monkeypatch.setattr(serve, "HEAD_SECONDS", 0.2)
    here = await site(ANYONE, routes=SIZE)
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    for _ in range(3):
        writer.write(f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode())
        assert (await read_answer(reader)).status == 200
    writer.write(b"GET /")
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_one_address_opens_so_many_connections_and_this_host_more(site, monkeypatch) -> None:
    monkeypatch.setattr(serve, "MOST_OF_ONE", 2)
    here = await site(ANYONE)
    assert [here.server.take("203.0.113.1") for _ in range(3)] == [True, True, False]
    assert here.server.take("203.0.113.2")
    assert all(here.server.take("127.0.0.1") for _ in range(5))
    here.server.give_back("203.0.113.1")
    assert here.server.take("203.0.113.1")
    monkeypatch.setattr(serve, "MOST_CONNECTIONS", 8)
    assert not here.server.take("127.0.0.1")
    here.server._open.clear()
    here.server._empty.set()


@pytest.mark.security("S18", inputs=500)
async def test_five_hundred_slow_connections_keep_nobody_waiting(site) -> None:
    here = await site(ANYONE)
    slow = [await asyncio.open_connection("127.0.0.1", here.port) for _ in range(500)]
    for _, writer in slow:
        writer.write(b"GET /livez HTTP/1.1\r\nX: ")
    waits = []
    for _ in range(50):
        begun = time.monotonic()
        assert (await here.ask("GET", "/livez")).status == 200
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[45] < 0.2
    for _, writer in slow:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in slow))


async def test_a_stop_answers_what_was_asked_and_takes_no_more(site) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def wait(shop: Shop, request: Request) -> Response:
        arrived.set()
        await go.wait()
        return as_json("done")

    here = await site(ANYONE, routes=(Route("GET", "/wait", "open", wait, "Waits."),))
    asked = asyncio.ensure_future(here.ask("GET", "/wait", connection="keep-alive"))
    await arrived.wait()
    stopping = asyncio.ensure_future(here.server.stop(5))
    await asyncio.sleep(0.01)
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", here.port)
    go.set()
    assert (await asked).json == "done"
    await stopping


async def test_while_it_stops_a_connection_that_stands_is_answered_once_more_and_told_to_leave(site) -> None:
    here = await site(ANYONE)
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode())
    await read_answer(reader)
    stopping = asyncio.ensure_future(here.server.stop(5))
    await asyncio.sleep(0.01)
    writer.write(f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode())
    assert (await read_answer(reader)).status == 200
    async with asyncio.timeout(10):
        assert await reader.read() == b""  # hung up on, after the answer
    await stopping
    writer.close()


EVIL = "set-cookie: evil=1"
INJECTED = [
    *(("x-a", f"b{end}{EVIL}") for end in ("\r\n", "\n", "\r", "\r\n\r\n", "\x00", "\r\n ", "\x0b\n", "\x0c\r\n")),
    *((f"x-a{end}{EVIL}", "b") for end in ("\r\n", "\n", "\r", ": b\r\n", " ", "\x00", "\t", ":", "\x7f")),
    ("", "b"), ("x-\u0161", "b"), ("x-a", "\u560d\u560a" + EVIL),
]  # fmt: skip


@pytest.mark.security("S28", inputs=len(INJECTED))
async def test_an_answer_that_cannot_be_a_header_is_a_fault_and_no_second_header(site) -> None:
    async def inject(shop: Shop, request: Request) -> Response:
        return Response(200, headers=(INJECTED[int(request.query["n"])],))

    here = await site(ANYONE, routes=(Route("GET", "/inject", "open", inject, "Tries."),))
    for number, pair in enumerate(INJECTED):
        answer = await here.ask("GET", f"/inject?n={number}")
        assert answer.status == 500, pair
        assert "set-cookie" not in answer.headers
