"""Signing in and out: `/api/v1/session`."""

from __future__ import annotations

import asyncio
from functools import cache

from msgspec import Struct

from pipeline.passwords import hashed, matches
from pipeline.web.access import Access
from pipeline.web.attempts import neighbourhood
from pipeline.web.request import Identity, Request
from pipeline.web.response import Refused, Response, as_json
from pipeline.web.route import Route
from pipeline.web.sessions import Session, proof_of
from pipeline.web.shop import Shop

PATH = "/api/v1/session"
MOST_QUEUED = 20
MOST_BODY = 8 * 1024
LONGEST_USER = 64


class Credentials(Struct, frozen=True, forbid_unknown_fields=True):
    """A user and a password, or a token."""

    user: str | None = None
    password: str | None = None
    token: str | None = None


class Signed(Struct, frozen=True):
    """Who is signed in; `csrf` goes into the header X-CSRF-Token of every change. `auth` is how they showed who they
    are, `ways` how one can."""

    user: str | None
    role: str | None
    csrf: str | None
    project: str
    auth: str | None
    ways: list[str]


class SignOut(Struct, frozen=True):
    """`everywhere=true`: all sessions of this user, on every device."""

    everywhere: bool = False


async def show(shop: Shop, request: Request) -> Response:
    """Who asks, and how to sign in."""
    return as_json(_signed(shop, request.identity))


async def sign_in(shop: Shop, request: Request) -> Response:
    """Begin a session. Refused with 401, and with 429 for a while after failures."""
    access, given = shop.access, request.json(Credentials)
    who = [f"address:{neighbourhood(request.client)}"]
    if given.user is not None:
        who.append(f"user:{given.user[:LONGEST_USER]}")
    if (pause := access.attempts.pause(*who)) > 0:
        raise _too_many(pause)
    session = await _check(access, given)
    if session is None:
        access.attempts.failed(*who)
        raise Refused(401, "unauthorised", "that is not right", "see `http` in the file, or `pipeline token`")
    access.attempts.succeeded(*who)
    role = access.identities.role_of(session)
    if role is None:
        raise Refused(401, "unauthorised", "what you signed in with has just changed", "try again")
    request.identity = Identity(session.user, role, session.way, session.id)
    cookie = access.sessions.cookie(session, secure=request.secure)
    return as_json(_signed(shop, request.identity), headers=(cookie,))


async def sign_out(shop: Shop, request: Request) -> Response:
    """End the session, or with `everywhere=true` all of this user's."""
    sessions = shop.access.sessions
    session = await sessions.of(request)
    if session is not None:
        await sessions.end(session, everywhere=request.query.get("everywhere") == "true")
    return Response(204, headers=(sessions.cookie(None, secure=request.secure),))


async def _check(access: Access, given: Credentials) -> Session | None:
    if given.token is not None:
        owner = access.tokens.owner(given.token)
        known = access.tokens.hash_of(owner[0]) if owner is not None else None
        return access.sessions.begin(owner[0], "token", proof_of(known.hex())) if owner and known else None
    user = access.http.users.get(given.user or "")
    # Somebody who is not there takes as long as a wrong password.
    expected = user.password if user is not None else None
    right = await _matches(access, given.password or "", expected)
    if not right or user is None or not user.password:
        return None
    return access.sessions.begin(given.user or "", "password", proof_of(user.password))


async def _matches(access: Access, password: str, expected: str | None) -> bool:
    if access.queued >= MOST_QUEUED:
        raise _too_many(1_000)
    access.queued += 1
    try:
        async with access.trying:
            return await asyncio.to_thread(lambda: matches(password, expected or _nobody()))
    finally:
        access.queued -= 1


@cache
def _nobody() -> str:
    return hashed("nobody has this password")


def _too_many(pause: int) -> Refused:
    seconds = -(-pause // 1000)
    return Refused(
        429,
        "too_many",
        f"too many tries: wait {seconds} s",
        headers=(("retry-after", str(seconds)),),
    )


def _signed(shop: Shop, identity: Identity | None) -> Signed:
    access = shop.access
    if identity is None:
        return Signed(None, None, None, shop.project, None, access.ways)
    csrf = None if identity.way == "bearer" else access.sessions.csrf(identity.session)
    return Signed(identity.user, identity.role, csrf, shop.project, identity.way, access.ways)


SESSION = (
    Route("GET", PATH, "open", show, "Who is signed in, and the ways there are.", answer=Signed),
    Route("POST", PATH, "open", sign_in, "Sign in.", body=Credentials, answer=Signed, most_body=MOST_BODY),
    Route("DELETE", PATH, "viewer", sign_out, "Sign out.", query=SignOut),
)
