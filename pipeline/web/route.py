"""What a path does: its handler, who may call it, and what goes in and out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from msgspec import Struct

from pipeline.plan import Role
from pipeline.web.request import Request
from pipeline.web.response import Response
from pipeline.web.shop import Shop

Handler = Callable[[Shop, Request], Awaitable[Response]]
MOST_BODY = 1024 * 1024


class Route(Struct, frozen=True):
    """`path` is a template: "/api/v1/queues/{queue}/jobs/{id}"; a name in braces is one step of a path.

    `role` is the least that may call it; "open" is for everybody. `query`, `body` and `answer` are types that
    msgspec knows, for the OpenAPI document; `query` a Struct whose fields are the parameters. `most_body` is in bytes. `audited`: whether
    calls are written down, if they are no GET.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    role: Role | Literal["open"]
    handler: Handler
    summary: str
    query: Any = None
    body: Any = None
    answer: Any = None
    most_body: int = MOST_BODY
    audited: bool = True
