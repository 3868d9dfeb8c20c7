"""An answer on its way: headers that every one carries, and streams that end when they should."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator

from pipeline.web.request import Receive, Send
from pipeline.web.response import Refused, Response

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)  # fmt: skip
NO_STORE = (b"cache-control", b"no-store")
STREAM_SECONDS = 300.0
"""Then a browser asks again, and whether it may is looked at again."""
_NAME = re.compile(r"[a-z0-9-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
log = logging.getLogger(__name__)


async def deliver(
    response: Response, stopping: asyncio.Event, method: str, receive: Receive, send: Send
) -> None:
    """Send a response. A stream ends with its events, when `stopping` is set, or when nobody listens any more."""
    response = _sendable(response)
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
    names = {name for name, _ in headers}
    headers += [(b"content-type", response.content_type.encode()), *SECURITY]
    if b"cache-control" not in names:
        headers.append(NO_STORE)
    streams = response.events is not None and method != "HEAD"
    if streams:
        headers.append((b"x-accel-buffering", b"no"))
    elif response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.events is not None and streams:
        await _stream(response.events, stopping, receive, send)
    else:
        await send({"type": "http.response.body", "body": response.body})


def _sendable(response: Response) -> Response:
    """The response, unless something came into its headers that would make others of them."""
    headers = (*response.headers, ("content-type", response.content_type))
    if all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers):
        return response
    log.error("a header cannot be sent: %s", ascii(response.headers))
    return Refused(500, "internal", "something went wrong here", "the log says what").response()


async def _stream(
    events: AsyncIterator[bytes], stopping: asyncio.Event, receive: Receive, send: Send
) -> None:
    feeding = asyncio.ensure_future(_feed(events, send))
    leaving = asyncio.ensure_future(_left(receive))
    ending = asyncio.ensure_future(stopping.wait())
    tasks = (feeding, leaving, ending)
    try:
        await asyncio.wait(tasks, timeout=STREAM_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        left = leaving.done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not feeding.cancelled() and (error := feeding.exception()) is not None:
        raise error
    if not left:
        await send({"type": "http.response.body", "body": b""})


async def _feed(events: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    finally:
        if (close := getattr(events, "aclose", None)) is not None:
            await close()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
