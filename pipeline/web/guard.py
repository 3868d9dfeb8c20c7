"""Who may come in: nobody, unless something here says so. It is asked before a route is looked for."""

from __future__ import annotations

from ipaddress import ip_address

from pipeline.listen import listener
from pipeline.web.request import Identity, Request
from pipeline.web.response import Refused
from pipeline.web.route import Route
from pipeline.web.shop import Shop

RANKS = {"open": 0, "viewer": 1, "operator": 2, "admin": 3}
PROBES = frozenset(("/livez", "/readyz"))
"""Asked by probes, which know an address and no name; what they tell is no secret."""


class Guard:
    """Asked twice: who a request is from, and whether that may do what the route does."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._hosts = frozenset(("localhost", *shop.http.hosts, listener(shop.web.listen)[0]))

    async def recognise(self, request: Request) -> None:
        """Set the request's identity, if it shows one. Raises Refused for a name that this host does not answer to."""
        if request.path not in PROBES:
            self._check_host(request)
        if self._shop.http.auth == "none":
            request.identity = Identity("anyone", "admin", "open")

    def admit(self, request: Request, route: Route) -> None:
        """Raises Refused: 401 without an identity, 403 when its role does not reach."""
        if route.role == "open":
            return
        if RANKS[request.who.role] < RANKS[route.role]:
            raise Refused(
                403, "role", f"this needs the role {route.role}", f"{request.who.user} has {request.who.role}"
            )

    def _check_host(self, request: Request) -> None:
        """Against DNS rebinding: a page of a stranger's own name must not reach what listens here."""
        given = request.header("host") or ""
        host, port = _split(given.lower())
        if f"{host}:{port}" in self._hosts or host in self._hosts or _is_own_address(host, request.server):
            return
        raise Refused(
            421,
            "host",
            "this host does not answer to that name",
            "add it to `http.hosts` in the file",
            close=True,
        )


def _split(host: str) -> tuple[str, str]:
    """Name and port; an IPv6 address without its brackets."""
    if host.startswith("["):
        address, _, rest = host[1:].partition("]")
        return address, rest.removeprefix(":") if rest.startswith(":") or not rest else "?"
    name, _, port = host.partition(":")
    return name, port


def _is_own_address(host: str, server: str) -> bool:
    """An address in numbers needs no name server, so nobody can rebind it: loopback, or where the connection arrived."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or host == server
