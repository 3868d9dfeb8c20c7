"""The dashboard's ASGI app: guard, route, body, handler, answer; in this order, for every request."""

from __future__ import annotations

import logging

from pipeline.errors import PipelineError
from pipeline.web.answer import deliver
from pipeline.web.audit import Audit
from pipeline.web.guard import PROBES, READS, Guard
from pipeline.web.request import Receive, Request, Scope, Send, read_body, stranger
from pipeline.web.response import Refused, Response, refusal
from pipeline.web.route import Route
from pipeline.web.routes import Router
from pipeline.web.shop import Shop

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
        await deliver(response, self._shop.stopping, scope["method"], receive, send)

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
