"""Server-sent events: the overview as it changes, tasks, and what happens to jobs."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import BrokerError
from pipeline.web.api.common import BASE, known
from pipeline.web.api.overview import overview
from pipeline.web.hub import frame
from pipeline.web.look import Picture
from pipeline.web.request import Request
from pipeline.web.response import Refused, Response
from pipeline.web.route import Route
from pipeline.web.shop import Shop

MOST_QUEUES = 100
TYPE = "text/event-stream"


class StreamQuery(Struct, frozen=True):
    """Whose jobs are followed: names with commas between, or `*` for all."""

    queue: str | None = None


async def stream(shop: Shop, request: Request) -> Response:
    """Events, until somebody hangs up or the process leaves."""
    if request.method == "HEAD":
        return Response(content_type=TYPE)
    named = request.query.get("queue", "")
    queues = [queue for queue in named.split(",") if queue]
    if len(queues) > MOST_QUEUES:
        raise Refused(422, "invalid", f"{MOST_QUEUES} queues at most", "* follows all of them")
    for queue in queues:
        if queue != "*":
            await known(shop, queue)
    desk = shop.desk
    desk.look.on_picture(lambda picture: _tell(shop, picture))
    try:
        first = frame("overview", msgspec.json.encode(overview(await desk.look.newest(), shop.plan.profile)))
    except BrokerError:
        first = None
    events = await desk.hub.listen(queues, first)
    desk.tail.wake()
    return Response(content_type=TYPE, events=events)


def _tell(shop: Shop, picture: Picture) -> None:
    seen = overview(picture, shop.plan.profile)
    # A picture in which only the time is another one is no news.
    shop.desk.hub.changed("overview", msgspec.json.encode(seen), replace(seen, at=0))


ROUTES = (Route("GET", f"{BASE}/stream", "viewer", stream, "Server-sent events.", query=StreamQuery),)
