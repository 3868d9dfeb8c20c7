"""What queues did over hours and days."""

from __future__ import annotations

from msgspec import Struct

from pipeline.status.charts import LONGEST, Charts, charts
from pipeline.web.api.common import BASE, known
from pipeline.web.inputs import number
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

USUAL = 180


class ChartsQuery(Struct, frozen=True):
    """One queue, or all together; how far back."""

    queue: str | None = None
    minutes: int = USUAL


async def show(shop: Shop, request: Request) -> Response:
    """Throughput, failures, latency, and how long jobs waited."""
    named = request.query.get("queue")
    queues = [await known(shop, named)] if named else list(shop.plan.queues)
    minutes = number(request, "minutes", USUAL, 1, LONGEST)
    return as_json(await charts(shop.connection, shop.project, queues, minutes))


ROUTES = (
    Route("GET", f"{BASE}/charts", "viewer", show, "What queues did over hours and days.", query=ChartsQuery, answer=Charts),
)  # fmt: skip
