"""The OpenAPI document, made from the routes: it cannot say what is not so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.policy import ID_PATTERN, NAME_PATTERN
from pipeline.web.api.common import BASE, Refusal
from pipeline.web.request import Request
from pipeline.web.response import JSON, Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

REFERENCE = "#/components/schemas/{name}"
EVENTS = "text/event-stream"
CREATES = frozenset(("enqueue", "duplicate", "fire", "start"))
"""Handlers that answer 201 when something is new."""
TASKS = frozenset(("begin", "redrive", "purge"))
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_NAMES = ("queue", "name", "flow")


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes, those of the API."""
    own = [route for route in routes if route.path.startswith(BASE)]
    types = [kind for route in own for kind in (route.query, route.body, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components((*types, Refusal), ref_template=REFERENCE)
    known = dict(zip(map(str, (*types, Refusal)), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in own:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, known, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "pipeline", "version": "1", "description": "See docs/http-api.md."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, known: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    name = f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}"
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "description": f"For everybody who is {route.role}."
        if route.role != "open"
        else "Open to everybody.",
        "parameters": [*_path(route), *_query(route, known, components), *_headers(route)],
        "responses": _responses(route, known),
    }
    if route.role == "open":
        operation["security"] = []
    if route.body is not None:
        must = _is_required(known[str(route.body)], components)
        operation["requestBody"] = {"required": must, "content": {JSON: {"schema": known[str(route.body)]}}}
    return operation


def _path(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": _pattern(name)},
        }
        for name in _PARAMETER.findall(route.path)
    ]


def _pattern(name: str) -> str:
    if name == "n":
        return "^[0-9]{1,15}$"
    return f"^{NAME_PATTERN}$" if name in _NAMES else f"^{ID_PATTERN}$"


def _query(route: Route, known: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = _resolved(known[str(route.query)], components)
    return [
        {"name": name, "in": "query", "required": False, "schema": _plain(kind)}
        for name, kind in schema["properties"].items()
    ]


def _plain(kind: dict[str, Any]) -> dict[str, Any]:
    """The type of a parameter: in a query what is not there is left out, not null."""
    some = [one for one in kind.get("anyOf", ()) if one.get("type") != "null"]
    if some:
        return some[0] if len(some) == 1 else {"anyOf": some}
    return {name: value for name, value in kind.items() if name != "default" or value is not None}


def _headers(route: Route) -> list[dict[str, Any]]:
    if route.handler.__name__ != "enqueue":
        return []
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_.:@-]{1,100}$"}
    return [{"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}]


def _responses(route: Route, known: dict[str, Any]) -> dict[str, Any]:
    name = route.handler.__name__
    if route.handler.__module__.endswith(".stream"):
        content: dict[str, Any] = {EVENTS: {"schema": {"type": "string"}}}
    elif route.answer is None:
        content = {}
    else:
        content = {JSON: {"schema": known[str(route.answer)]}}
    done: dict[str, Any] = {"description": route.summary, **({"content": content} if content else {})}
    statuses = (
        ("202",)
        if name in TASKS
        else ("200", "201")
        if name in CREATES
        else ("204",)
        if not content
        else ("200",)
    )
    if name in ("reload", "rollback"):
        statuses = ("200", "202")
    refused = {"description": "Refused", "content": {JSON: {"schema": known[str(Refusal)]}}}
    return {**dict.fromkeys(statuses, done), "4XX": refused, "5XX": refused}


def _is_required(schema: dict[str, Any], components: dict[str, Any]) -> bool:
    return "anyOf" in schema or bool(_resolved(schema, components).get("required"))


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def route_of(routes: Sequence[Route]) -> Route:
    """The route that tells of these, and of itself."""

    async def openapi(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
        """This document."""
        return as_json(document([*routes, own]))

    own = Route("GET", f"{BASE}/openapi.json", "viewer", openapi, "This document.", answer=dict[str, Any])
    return own
