"""Streams of events: they end when they should, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pipeline.plan import HttpPlan
from pipeline.web import answer
from pipeline.web.request import Request
from pipeline.web.response import Response
from pipeline.web.route import Route
from pipeline.web.shop import Shop

ASK = b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
END = b"0\r\n\r\n"


class Feed:
    """Events for as long as somebody listens; `over` is set when nobody does any more."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def events(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
                await asyncio.sleep(0.001)
        finally:
            self.over.set()

    async def serve(self, shop: Shop, request: Request) -> Response:
        return Response(content_type="text/event-stream", events=self.events())

    @property
    def route(self) -> Route:
        return Route("GET", "/stream", "open", self.serve, "A test's.")


async def test_a_stream_ends_when_the_process_leaves_and_the_browser_sees_its_end(site) -> None:
    feed = Feed()
    here = await site(HttpPlan(auth="none"), routes=(feed.route,))
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(ASK)
    head = await reader.readuntil(b"data: 1\n\n")
    assert b"x-accel-buffering: no" in head
    assert b"text/event-stream" in head
    here.shop.stopping.set()
    async with asyncio.timeout(10):
        await here.server.stop(5)
        assert (await reader.read()).endswith(END)
    assert feed.over.is_set()
    writer.close()


async def test_a_stream_to_nobody_ends(site) -> None:
    feed = Feed()
    here = await site(HttpPlan(auth="none"), routes=(feed.route,))
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(ASK)
    await reader.readuntil(b"data: 1\n\n")
    writer.transport.abort()
    async with asyncio.timeout(10):
        await feed.over.wait()


async def test_a_stream_ends_now_and_then_so_that_who_was_signed_out_does_not_listen_for_ever(
    site, monkeypatch
) -> None:
    monkeypatch.setattr(answer, "STREAM_SECONDS", 0.05)
    feed = Feed()
    here = await site(HttpPlan(auth="none"), routes=(feed.route,))
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(ASK)
    async with asyncio.timeout(10):
        await reader.readuntil(END)
    assert feed.over.is_set()
    writer.close()


async def test_a_look_at_the_head_of_a_stream_is_no_stream(site) -> None:
    feed = Feed()
    here = await site(HttpPlan(auth="none"), routes=(feed.route,))
    assert (await here.ask("HEAD", "/stream")).status == 200
