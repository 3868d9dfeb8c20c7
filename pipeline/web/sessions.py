"""Sessions: a cookie that we signed. It survives every restart, and can be taken back for all hosts at once."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator

import msgspec
from msgspec import Struct

from pipeline.errors import BrokerError
from pipeline.store import web as store
from pipeline.store.call import run
from pipeline.store.wire import Connection
from pipeline.web.request import Request

LASTS_MS = 7 * 86_400_000
LOOK_MS = 1_000
LONGEST = 2_048


class Session(Struct, frozen=True):
    """Who signed in, how and when (ms since 1970). `proof` changes with what they signed in with."""

    id: str
    user: str
    way: str
    at: int
    proof: str


class Sessions:
    """Makes and reads sessions; `path` is where a browser shows them. `clock` gives ms since 1970; `connect` the connection
    to the broker, or raises BrokerError."""

    def __init__(
        self, project: str, path: str, key: bytes, clock: Callable[[], int], connect: Callable[[], Connection]
    ) -> None:
        self._project = project
        self._path = path or "/"
        self._key = key
        self._clock = clock
        self._connect = connect
        self._gone: dict[str, int] = {}
        self._looked_at = 0
        # A browser keeps the cookies of a host for all of its ports: those of another project are not ours.
        self.name = f"pipeline-{project}"

    def begin(self, user: str, way: str, proof: str) -> Session:
        """A new session."""
        return Session(secrets.token_hex(12), user, way, self._clock(), proof)

    def cookie(self, session: Session | None, *, secure: bool) -> tuple[str, str]:
        """The header that hands a session to a browser, or takes it back."""
        value, age = (self._sign(session), LASTS_MS // 1000) if session is not None else ("", 0)
        rest = f"Path={self._path}; Max-Age={age}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
        return "set-cookie", f"{self.name}={value}; {rest}"

    async def of(self, request: Request) -> Session | None:
        """The session that a request shows, if it counts."""
        for value in self._shown(request):
            session = self._read(value)
            if session is not None and await self._counts(session):
                return session
        return None

    async def end(self, session: Session, *, everywhere: bool) -> None:
        """Let a session, or all of its user's, count no more. Raises BrokerError."""
        field = f"user:{session.user}" if everywhere else f"session:{session.id}"
        at = self._clock() + 1 if everywhere else session.at + LASTS_MS
        await store.sign_out(self._connect(), self._project, field, at)
        self._gone[field] = at
        await store.forget(self._connect(), self._project, self._gone, self._clock())

    def csrf(self, session: str) -> str:
        """What a page of ours knows and no other: to be sent along with every change."""
        return hmac.digest(self._key, b"csrf:" + session.encode(), "sha256").hex()[:32]

    async def _counts(self, session: Session) -> bool:
        await self._look()
        now = self._clock()
        if not session.at <= now + 60_000 or session.at + LASTS_MS < now:
            return False
        taken_back = self._gone.get(f"user:{session.user}", 0)
        return session.at >= taken_back and f"session:{session.id}" not in self._gone

    async def _look(self) -> None:
        """Other hosts sign people out too. While the broker is away what is known counts."""
        if self._clock() - self._looked_at < LOOK_MS:
            return
        self._looked_at = self._clock()
        with contextlib.suppress(BrokerError):
            self._gone = await run(self._connect(), store.signed_out(self._project))

    def _shown(self, request: Request) -> Iterator[str]:
        for pair in (request.header("cookie") or "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.name and len(value) <= LONGEST:
                yield value

    def _sign(self, session: Session) -> str:
        text = urlsafe_b64encode(msgspec.json.encode(session)).decode()
        return f"{text}.{self._mac(text)}"

    def _read(self, value: str) -> Session | None:
        text, _, mac = value.partition(".")
        if not value.isascii() or not hmac.compare_digest(mac, self._mac(text)):
            return None
        try:
            return msgspec.json.decode(urlsafe_b64decode(text), type=Session)
        except (msgspec.MsgspecError, ValueError):
            return None

    def _mac(self, text: str) -> str:
        return hmac.digest(self._key, b"session:" + text.encode(), "sha256").hex()


def proof_of(text: str) -> str:
    """What stands in a session for a password's hash or a token: another one ends it."""
    return hashlib.sha256(b"proof:" + text.encode()).hexdigest()[:16]
