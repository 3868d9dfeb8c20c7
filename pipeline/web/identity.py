"""Who a request is from: by a token, a session, a proxy's word, or, when the file says so, nobody in particular."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from pipeline.plan import HttpPlan, Role
from pipeline.web.request import Identity, Request
from pipeline.web.response import Refused
from pipeline.web.sessions import Session, Sessions, proof_of
from pipeline.web.tokens import Tokens

ANYONE = "anyone"
LONGEST_NAME = 128
MOST_HOPS = 20


class Networks:
    """The networks of the file's proxy."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._networks = [ip_network(text) for text in texts]

    def __contains__(self, address: object) -> bool:
        try:
            found = ip_address(str(address))
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in network for network in self._networks)


class Crowd:
    """Which addresses stand for many people: this host, and the proxies of the file."""

    def __init__(self, http: HttpPlan) -> None:
        self._proxies = Networks(http.proxy.networks if http.proxy else ())

    def __call__(self, address: str) -> bool:
        return is_local(address) or address in self._proxies


def is_local(address: str) -> bool:
    """Whether this is an address of this host alone."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


class Identities:
    """Finds the identity of a request; None for a stranger."""

    def __init__(self, http: HttpPlan, sessions: Sessions, tokens: Tokens) -> None:
        self._http = http
        self._sessions = sessions
        self._tokens = tokens
        self.proxies = Networks(http.proxy.networks if http.proxy else ())

    async def of(self, request: Request) -> Identity | None:
        """Raises Refused (401) for a token that does not count: it was meant, and is wrong."""
        if (shown := request.header("authorization")) is not None:
            return self._bearer(shown)
        session = await self._sessions.of(request)
        if session is not None and (role := self.role_of(session)) is not None:
            return Identity(session.user, role, session.way, session.id)
        return self._proxied(request) or self._anyone()

    def role_of(self, session: Session) -> Role | None:
        """What the user of a session may, by the file of now; None when what they signed in with is another one."""
        if session.way == "token":
            known = self._tokens.hash_of(session.user)
            return (
                self._tokens.role(session.user) if known and proof_of(known.hex()) == session.proof else None
            )
        user = self._http.users.get(session.user)
        return user.role if user and user.password and proof_of(user.password) == session.proof else None

    def client(self, request: Request) -> str:
        """The address that asks: what the nearest proxy of ours says, or else who is connected."""
        if request.peer not in self.proxies:
            return request.peer
        hops = [hop.strip() for hop in (request.header("x-forwarded-for") or "").split(",")][-MOST_HOPS:]
        strangers = [hop for hop in hops if hop and hop not in self.proxies]
        return strangers[-1][:64] if strangers else request.peer

    def _bearer(self, shown: str) -> Identity:
        scheme, _, token = shown.partition(" ")
        if scheme.lower() == "bearer" and (owner := self._tokens.owner(token.strip())) is not None:
            return Identity(*owner, "bearer")
        raise Refused(
            401,
            "unauthorised",
            "this token does not count",
            "see `http.tokens` in the file",
            headers=(("www-authenticate", "Bearer"),),
            close=True,
        )

    def _proxied(self, request: Request) -> Identity | None:
        proxy = self._http.proxy
        if proxy is None or not proxy.header or request.peer not in self.proxies:
            return None
        name = request.header(proxy.header)
        if not name:
            return None
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise Refused(400, "bad_request", "the proxy's name of the user cannot be used", close=True)
        known = self._http.users.get(name)
        return Identity(name, known.role if known else proxy.role, "proxy", f"proxy:{name}")

    def _anyone(self) -> Identity | None:
        return Identity(ANYONE, "admin", "none", ANYONE) if self._http.auth == "none" else None
