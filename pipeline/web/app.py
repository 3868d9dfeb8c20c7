"""The dashboard's ASGI app: guard, route, body, handler, answer; in this order, for every request."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator

from pipeline.errors import PipelineError
from pipeline.web.audit import Audit
from pipeline.web.guard import PROBES, READS, Guard
from pipeline.web.request import Receive, Request, Scope, Send, read_body, stranger
from pipeline.web.response import Refused, Response, refusal
from pipeline.web.route import Route
from pipeline.web.routes import Router
from pipeline.web.shop import Shop

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
_VALUE = re.compile(r"[\x20-\x7e]*")
_BODIES = ("POST", "PATCH", "PUT")
log = logging.getLogger(__name__)


class App:
    """Answers everything that comes in on `http.listen`."""

    def __init__(self, shop: Shop, router: Router | None = None, guard: Guard | None = None) -> None:
        self._shop = shop
        self._router = router or Router()
        self._guard = guard or Guard(shop)
        self._audit = Audit(shop)
        self._prefix = shop.http.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"] = self._inner(scope["path"])
        try:
            response = await self._answer(Request(scope), scope, receive)
        except Refused as refused:
            response = refused.response()
        await _send(_sendable(response), scope["method"], receive, send)

    async def _answer(self, request: Request, scope: Scope, receive: Receive) -> Response:
        """The answer, and a line in the audit for what would change something."""
        noted = request.method not in READS
        try:
            await self._guard.recognise(request)
            route, request.params = self._find(request)
            noted = noted and route.audited
            self._guard.admit(request, route)
            most = route.most_body if request.method in _BODIES else 0
            request.body = await read_body(scope, receive, most)
            response = await route.handler(self._shop, request)
        except Exception as error:  # noqa: BLE001 - told in its own words, or in none
            response = _told(error, request)
        if noted:
            await self._audit.note(request, response.status)
        return response

    def _find(self, request: Request) -> tuple[Route, dict[str, str]]:
        try:
            return self._router.find(request.method, request.path)
        except Refused:
            # Who is not signed in does not learn what is there, and what not.
            if request.identity is None and request.path not in PROBES:
                raise stranger() from None
            raise

    def _inner(self, path: str) -> str:
        """The path without the prefix; a proxy may have taken it away already."""
        prefix = self._prefix
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            return path[len(prefix) :] or "/"
        return path


def _told(error: Exception, request: Request) -> Response:
    """What went wrong, for whoever asks. What is our own fault is for the log: it tells how we are made."""
    if isinstance(error, Refused):
        return error.response()
    if isinstance(error, PipelineError):
        return refusal(error).response()
    log.error("%s %s", request.method, ascii(request.path), exc_info=error)
    return Refused(500, "internal", "something went wrong here", "the log says what").response()


def _sendable(response: Response) -> Response:
    """The response, unless something came into its headers that would make others of them."""
    if all(_VALUE.fullmatch(value) for _, value in (*response.headers, ("", response.content_type))):
        return response
    log.error("a header cannot be sent: %s", ascii(response.headers))
    return Refused(500, "internal", "something went wrong here", "the log says what").response()


async def _send(response: Response, method: str, receive: Receive, send: Send) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
    names = {name for name, _ in headers}
    headers += [(b"content-type", response.content_type.encode()), *SECURITY]
    if b"cache-control" not in names:
        headers.append(NO_STORE)
    if response.events is None or method == "HEAD":
        if response.status not in (204, 304):
            headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
        return
    headers.append((b"x-accel-buffering", b"no"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await _stream(response.events, receive, send)


async def _stream(events: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Send events until there are no more, or nobody listens."""
    feeding = asyncio.ensure_future(_feed(events, send))
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({feeding, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (feeding, leaving):
            task.cancel()
        await asyncio.gather(feeding, leaving, return_exceptions=True)


async def _feed(events: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if (close := getattr(events, "aclose", None)) is not None:
            await close()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
