"""The trail of what people did: who, from where, what, and what came of it."""

from __future__ import annotations

import logging

from msgspec import Struct

from pipeline.clock import monotonic_ms
from pipeline.errors import BrokerError
from pipeline.store import web as store
from pipeline.store.web import Entry
from pipeline.web.request import Request
from pipeline.web.response import Refused, Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

DEFAULT, MOST = 100, 500
LONGEST_ACTION = 300
STRANGERS_A_MINUTE = 10
"""Strangers could push out what is worth keeping."""
log = logging.getLogger(__name__)


class AuditQuery(Struct, frozen=True):
    """`limit` entries at most, older than `before_at` (ms since 1970)."""

    limit: int = DEFAULT
    before_at: int | None = None


class Trail(Struct, frozen=True):
    """The newest entry comes first."""

    entries: list[Entry]


class Audit:
    """Writes down every change that was asked for, done or refused. Where the broker is away the log has it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._minute = 0
        self._strangers = 0

    async def note(self, request: Request, outcome: int) -> None:
        """Never fails."""
        who = request.identity
        if who is None and not self._has_room():
            return
        entry = Entry(
            self._shop.clock(),
            who.user if who else "",
            who.role if who else "",
            request.client,
            f"{request.method} {request.path}"[:LONGEST_ACTION],
            outcome,
        )
        try:
            await store.note(self._shop.connection, self._shop.project, entry)
        except BrokerError:
            log.warning("audit: %s by %r from %s: %d", ascii(entry.action), entry.by, entry.from_, outcome)

    def _has_room(self) -> bool:
        minute = monotonic_ms() // 60_000
        if minute != self._minute:
            self._minute, self._strangers = minute, 0
        self._strangers += 1
        return self._strangers <= STRANGERS_A_MINUTE


async def show(shop: Shop, request: Request) -> Response:
    """What was done, the newest first."""
    limit = min(max(_number(request, "limit") or DEFAULT, 1), MOST)
    found = await store.entries(shop.connection, shop.project, limit, _number(request, "before_at"))
    return as_json(Trail(found))


def _number(request: Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise Refused(422, "invalid", f"{name} must be a number")
    return int(text[:18])


AUDIT = (
    Route(
        "GET", "/api/v1/audit", "admin", show, "What people did, and when.", query=AuditQuery, answer=Trail
    ),
)
