"""Who may come in: nobody, unless something here says so. It is asked before a route is looked for."""

from __future__ import annotations

from hmac import compare_digest

from pipeline.listen import is_loopback, listener
from pipeline.web.identity import is_local
from pipeline.web.request import Identity, Request
from pipeline.web.response import JSON, Refused
from pipeline.web.route import Route
from pipeline.web.shop import Shop

RANKS = {"viewer": 1, "operator": 2, "admin": 3}
PROBES = frozenset(("/livez", "/readyz"))
"""Asked by probes, which know an address and no name; what they tell is no secret."""
METRICS = "/metrics"
READS = frozenset(("GET", "HEAD"))
_FORWARDED = ("forwarded", "x-forwarded-for")


class Guard:
    """Asked twice: who a request is from, and whether that may do what the route does."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._access = shop.access
        self._hosts = frozenset(("localhost", *shop.http.hosts, listener(shop.web.listen)[0]))
        self._named = frozenset(shop.http.hosts)
        self._only_proxies = not is_loopback(shop.web.listen) and shop.http.tls is None

    async def recognise(self, request: Request) -> None:
        """Set who asks, and from where. Raises Refused: 421 for a name that this host does not answer to, 403 for a
        connection past the proxy, 401 for a token that does not count."""
        if request.path in PROBES:
            return
        self._check_host(request)
        identities = self._access.identities
        request.client = identities.client(request)
        proxied = request.peer in identities.proxies
        https = proxied and request.header("x-forwarded-proto") == "https"
        request.secure = request.scheme == "https" or https
        if self._only_proxies and not proxied and not is_local(request.peer):
            raise Refused(
                403, "forbidden", "plain HTTP is spoken to the proxies of `http.proxy.from` only", close=True
            )
        request.identity = await identities.of(request)
        if request.identity is None and _is_local_scrape(request):
            request.identity = Identity("local", "viewer", "local")

    def admit(self, request: Request, route: Route) -> None:
        """Raises Refused: 401 without an identity, 403 when its role does not reach or another site may have asked."""
        if route.role != "open" and RANKS[request.who.role] < RANKS[route.role]:
            raise Refused(
                403,
                "forbidden",
                f"this needs the role {route.role}",
                f"{request.who.user} has {request.who.role}",
            )
        if request.method not in READS:
            self._check_origin(request)
            self._check_csrf(request, route)
            _check_type(request)

    def _check_host(self, request: Request) -> None:
        """Against DNS rebinding: a page of a stranger's own name must not reach what listens here."""
        host, port = split_host((request.header("host") or "").lower())
        if f"{host}:{port}" in self._hosts or host in self._hosts or _is_own_address(host, request.server):
            return
        raise Refused(
            421,
            "host",
            "this host does not answer to that name",
            "add it to `http.hosts` in the file",
            close=True,
        )

    def _check_origin(self, request: Request) -> None:
        """What browsers say of themselves; a program says nothing."""
        site = request.header("sec-fetch-site")
        if site is not None and site != "same-origin":
            raise _foreign("another site asks for it")
        origin = request.header("origin")
        if origin is None:
            return
        scheme, _, host = origin.lower().partition("://")
        # A proxy may give us another Host than the browser gave it.
        named = host in self._named or split_host(host)[0] in self._named
        if scheme not in ("http", "https") or not (named or host == (request.header("host") or "").lower()):
            raise _foreign("another site asks for it")

    def _check_csrf(self, request: Request, route: Route) -> None:
        who = request.identity
        if who is None or who.way == "bearer" or route.role == "open":
            return
        shown = (request.header("x-csrf-token") or "").encode()
        if not compare_digest(shown, self._access.sessions.csrf(who.session).encode()):
            raise _foreign("the header X-CSRF-Token is missing or old", "GET /api/v1/session tells it")


def _foreign(message: str, help: str = "") -> Refused:
    return Refused(403, "csrf", message, help, close=True)


def _check_type(request: Request) -> None:
    """Forms of other sites can send text and forms, and no JSON."""
    kind = request.header("content-type")
    has_body = request.header("content-length") not in (None, "0") or request.header("transfer-encoding")
    if kind is None and not has_body:
        return
    if (kind or "").partition(";")[0].strip().lower() != JSON:
        raise Refused(
            415,
            "unsupported_media_type",
            "the body must be JSON",
            "send Content-Type: application/json",
            close=True,
        )


def split_host(host: str) -> tuple[str, str]:
    """Name and port of a Host header; an IPv6 address without its brackets. What is neither comes back as ""."""
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        colon, port = (rest[:1] if closed else "?"), rest[1:]
    else:
        name, colon, port = host.partition(":")
    if (colon not in ("", ":")) or (colon and not (port.isascii() and port.isdigit())):
        return "", ""
    return name, port


def _is_own_address(host: str, server: str) -> bool:
    """An address in numbers needs no name server, so nobody can rebind it: loopback, or where the connection arrived."""
    return bool(host) and (is_local(host) or host == server)


def _is_local_scrape(request: Request) -> bool:
    """Metrics are open to this host itself, unless a proxy brings somebody else."""
    forwarded = any(request.header(name) is not None for name in _FORWARDED)
    return request.path == METRICS and request.method in READS and is_local(request.peer) and not forwarded
