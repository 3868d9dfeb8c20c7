"""`/metrics`: what Prometheus scrapes."""

from __future__ import annotations

from pipeline.errors import BrokerError
from pipeline.status.measures import measure
from pipeline.web.exposition import format_of, render
from pipeline.web.families import families
from pipeline.web.request import Request
from pipeline.web.response import Response
from pipeline.web.route import Route
from pipeline.web.shop import Shop


async def metrics(shop: Shop, request: Request) -> Response:
    """The metrics of the project, at most a second old. While the broker is away: that it is."""
    format = format_of(request.header("accept"))
    body = await shop.kept.get(f"metrics {format}", lambda: scrape(shop, format))
    return Response(200, body, format)


async def scrape(shop: Shop, format: str) -> bytes:
    """The text in that format, made now."""
    try:
        measures = await measure(shop.connection, shop.plan)
    except BrokerError:
        measures = None
    return render(families(shop.plan, measures), format)


METRICS = (Route("GET", "/metrics", "viewer", metrics, "The metrics, as Prometheus reads them."),)
