"""Dead jobs by what they died of."""

from __future__ import annotations

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from pipeline.store.blocking import BlockingConnection
from pipeline.store.groups import Group, gathered
from pipeline.store.operator import Operator
from pipeline.web.api.common import BASE, queue_of, short
from pipeline.web.moves import Hold, holding
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop
from pipeline.web.veils import Veils

MOST = 10_000
MOST_GROUPS = 500


class GroupList(Struct, frozen=True, kw_only=True):
    """The groups, the largest first. `complete`: every dead job was looked at."""

    queue: str
    looked: int
    complete: bool
    groups: list[Group]


async def groups(shop: Shop, request: Request) -> Response:
    """The dead jobs of a queue by what they died of."""
    queue = await queue_of(shop, request)
    return as_json(await shop.desk.hands.run(partial(_look, holding(shop.plan, queue), shop.desk.veils)))


def _look(hold: Hold, veils: Veils, connection: BlockingConnection) -> GroupList:
    hands = hold(connection)
    found, looked, complete = gathered(connection, hands.reader.queue, MOST)
    shown = [_shown(group, hands, veils) for group in found[:MOST_GROUPS]]
    return GroupList(queue=hands.queue, looked=looked, complete=complete, groups=shown)


def _shown(group: Group, hands: Operator, veils: Veils) -> Group:
    """A group as it may be shown: what its sample hides is hidden in its message."""
    if veils.of(hands.queue):
        (job,) = hands.look([group.sample]) or (None,)
        message = "" if job is None else veils.mask(job).text(group.message)
        group = replace(group, message=message)
    return replace(group, message=short(group.message))


ROUTES = (
    Route("GET", f"{BASE}/queues/{{queue}}/groups", "viewer", groups, "Dead jobs by what they died of.",
          answer=GroupList),
)  # fmt: skip
