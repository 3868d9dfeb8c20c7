"""The one table of what the web process does, and how a request finds its line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.web.api import openapi
from pipeline.web.api.table import API
from pipeline.web.audit import AUDIT
from pipeline.web.health import HEALTH
from pipeline.web.metrics import METRICS
from pipeline.web.response import Refused
from pipeline.web.route import Route
from pipeline.web.signin import SESSION
from pipeline.web.static import STATIC

_OWN: tuple[Route, ...] = (*HEALTH, *METRICS, *STATIC, *SESSION, *AUDIT, *API)
ROUTES: tuple[Route, ...] = (*_OWN, openapi.route_of(_OWN))
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


class Router:
    """Finds the route of a method and a path. Templates match whole steps, exactly as they were sent."""

    def __init__(self, routes: Sequence[Route] = ROUTES) -> None:
        self.routes = tuple(routes)
        self._exact: dict[tuple[str, str], Route] = {
            (route.method, route.path): route for route in routes if "{" not in route.path
        }
        self._templates = [(_pattern(route.path), route) for route in routes if "{" in route.path]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route, and what its path names. Raises Refused: 404, or 405 when only other methods are there."""
        wanted = "GET" if method == "HEAD" else method
        if (route := self._exact.get((wanted, path))) is not None:
            return route, {}
        others = {given for given, known in self._exact if known == path}
        for pattern, route in self._templates:
            if (found := pattern.fullmatch(path)) is not None:
                if route.method == wanted:
                    return route, found.groupdict()
                others.add(route.method)
        if others:
            allowed = ", ".join(sorted(others))
            raise Refused(405, "method_not_allowed", f"{path} takes {allowed}", headers=(("allow", allowed),))
        raise Refused(404, "not_found", f"there is nothing at {path}")


def _pattern(template: str) -> re.Pattern[str]:
    parts = _PARAMETER.split(template)
    return re.compile(
        "".join(f"(?P<{part}>[^/]+)" if n % 2 else re.escape(part) for n, part in enumerate(parts))
    )
