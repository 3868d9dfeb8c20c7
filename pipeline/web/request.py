"""One request, as handlers see it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from pipeline.plan import Role
from pipeline.web.response import JSON, Refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

BODY_SECONDS = 10.0
SLOWEST = 64 * 1024
"""Bytes a second: a body that comes more slowly is given up after BODY_SECONDS."""
MOST_FIELDS = 100


class Identity(Struct, frozen=True):
    """Who asks. `way` is how they showed it: "password" or "token" in a session, "bearer", "proxy" or "none".
    `session` names what their CSRF token belongs to."""

    user: str
    role: Role
    way: str
    session: str = ""


class Request:
    """`query` has each name once, `params` what the route's path names. `peer` is the address that is connected, `client`
    the one that asks, behind a proxy; `secure`: the browser speaks HTTPS."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.scheme: str = scope.get("scheme", "http")
        self.query = _query(scope["query_string"])
        self.body = b""
        self.params: dict[str, str] = {}
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        self.client = self.peer
        self.secure = self.scheme == "https"
        server = scope.get("server")
        self.server: str = server[0] if server else ""
        self.identity: Identity | None = None
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

    def header(self, name: str) -> str | None:
        """The only value of a header, by its name in small letters; None when it is not there. Raises Refused (400)."""
        found = [value for given, value in self._headers if given == name.encode()]
        if len(found) > 1:
            raise Refused(400, "bad_request", f"the header {name} is there twice", close=True)
        return found[0].decode("latin-1") if found else None

    def json(self, type: type[T]) -> T:
        """The body as a value of this type. Raises Refused: 415 when it is no JSON, 400 or 422 when it does not fit."""
        if (self.header("content-type") or "").partition(";")[0].strip().lower() != JSON:
            raise Refused(
                415, "unsupported_media_type", "the body must be JSON", "send Content-Type: application/json"
            )
        try:
            return msgspec.json.decode(self.body, type=type)
        except msgspec.ValidationError as error:
            raise Refused(422, "invalid", f"the body does not fit: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(400, "bad_request", f"the body is no JSON: {error}") from None

    @property
    def who(self) -> Identity:
        """Who asks; of a route that is not open."""
        if self.identity is None:
            raise stranger()
        return self.identity


def stranger() -> Refused:
    """What somebody is told who showed nothing that counts."""
    return Refused(401, "unauthorised", "sign in first", "POST /api/v1/session")


def _query(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refused(400, "bad_request", "the query cannot be read", close=True) from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Refused(400, "bad_request", "a name is in the query twice", close=True)
    return query


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body, of `most` bytes at most. Raises Refused: 413, 415 for one that is packed, 408 for one that does
    not come, 400 for one that ends early. After each the connection is closed."""
    _check_head(scope, most)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS) as limit:
            start = asyncio.get_running_loop().time()
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "bad_request", "the body ended early", close=True)
                body += message.get("body", b"")
                if len(body) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return bytes(body)
                limit.reschedule(start + BODY_SECONDS + len(body) / SLOWEST)
    except TimeoutError:
        raise Refused(408, "too_slow", "the body did not come in time", close=True) from None


def _check_head(scope: Scope, most: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Refused(
                415,
                "unsupported_media_type",
                "a body with Content-Encoding is not read",
                "send it as it is",
                close=True,
            )
        if name == b"content-length" and value.isdigit() and int(value[:20]) > most:
            raise _too_large(most)


def _too_large(most: int) -> Refused:
    return Refused(413, "payload_too_large", f"the body has more than {most:,} bytes", close=True)
