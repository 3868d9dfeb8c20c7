"""Whether the process lives, and whether jobs are worked: for probes, open to everybody."""

from __future__ import annotations

from msgspec import Struct

from pipeline.clock import monotonic_ms
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

SILENT_MS = 5_000


class Health(Struct, frozen=True):
    """`reason` says why not."""

    ready: bool
    reason: str | None = None


async def livez(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """This process answers."""
    return as_json({"live": True})


async def readyz(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """Every pool that should serve has a worker that takes jobs, by the supervisor's word of the last seconds."""
    health = readiness(shop)
    return as_json(health, 200 if health.ready else 503)


def readiness(shop: Shop) -> Health:
    """The supervisor's last word, as long as it counts."""
    word = shop.standing
    if word is None:
        return Health(ready=False, reason="the supervisor has not spoken yet")
    if monotonic_ms() - word.at > SILENT_MS:
        return Health(ready=False, reason="the supervisor is silent")
    return Health(ready=word.reason is None, reason=word.reason)


HEALTH = (
    Route("GET", "/livez", "open", livez, "Whether the web process answers."),
    Route("GET", "/readyz", "open", readyz, "Whether jobs are worked; 503 when not.", answer=Health),
)
