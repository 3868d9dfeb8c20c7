"""Jobs, looked at: lists by state and by what they hold, and each on a page of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import JobNotFound
from pipeline.job import State
from pipeline.policy import QueuePolicy
from pipeline.producer import ID
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run
from pipeline.store.listing import LISTED, Filter
from pipeline.store.operator import Operator
from pipeline.store.reader import JobView, server_time
from pipeline.store.search import Search
from pipeline.web.api.common import BASE, Whole, queue_of, whole
from pipeline.web.api.filters import JobsQuery, filter_of, is_empty, of_query, states_of
from pipeline.web.api.shapes import JobLine, JobPage, line, page, size
from pipeline.web.api.workers import started
from pipeline.web.inputs import number
from pipeline.web.moves import Hold, count, holding
from pipeline.web.redact import Veiled
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop
from pipeline.web.veils import Veils

MOST = 500
LOOKED_AT = 20_000
SECONDS = 1.0


class JobList(Struct, frozen=True, kw_only=True):
    """A page of jobs. With `more` there are, or may be, others: go on behind `next`."""

    jobs: list[JobLine]
    next: str | None
    more: bool
    looked: int
    complete: bool
    total: int


class Wish(Struct, frozen=True):
    """Which page of which jobs."""

    states: Sequence[State]
    only: Filter
    limit: int
    after: str | None
    everything: bool


async def list_jobs(shop: Shop, request: Request) -> Response:
    """The jobs of a queue, newest first."""
    queue = await queue_of(shop, request)
    given = of_query(request)
    veils = shop.desk.veils
    only = filter_of(given, veils.seen, await run(shop.connection, server_time()))
    named = request.query.get("state", "")
    states = states_of(named.split(",")) if named else LISTED
    limit = number(request, "limit", 50, 1, MOST)
    wish = Wish(states, only, limit, request.query.get("after") or None, is_empty(given))
    hold = holding(shop.plan, queue)
    return as_json(await shop.desk.hands.run(lambda connection: look(hold(connection), wish, veils)))


def look(hands: Operator, wish: Wish, veils: Veils) -> JobList:
    """The page. Raises JobNotFound when what it should go on behind is not in the list any more."""
    end = time.monotonic() + SECONDS
    search = Search(
        hands,
        replace(wish.only, id=None) if wish.after else wish.only,
        wish.states,
        wish.after,
        lambda: search.looked >= LOOKED_AT or (not wish.everything and time.monotonic() > end),
        LOOKED_AT,
    )
    found: list[JobLine] = []
    full = False
    for job in search:
        if len(found) == wish.limit:
            full = True
            break
        found.append(line(veils.line(job), size(job)))
    following = (found[-1].id if full else search.last) if full or search.stopped else None
    return JobList(
        jobs=found,
        next=None if wish.only.id else following,
        more=full or search.stopped,
        looked=search.looked,
        complete=not search.stopped,
        total=count(hands, wish.states),
    )


async def show(shop: Shop, request: Request) -> Response:
    """Everything that is kept of a job, cut where it is large."""
    one = await found(shop, request)
    job = one.veiled.job
    if job.state == "active":
        # What runs has no outcome yet: its worker's board knows since when.
        job = replace(job, started_at=await started(shop, job.queue, job.id))
    return as_json(page(Veiled(job, one.veiled.hidden), size(one.job), one.policy))


async def data(shop: Shop, request: Request) -> Response:
    """The payload of a job, whole."""
    veiled = (await found(shop, request)).veiled
    return as_json(whole(veiled.job.data, veiled.hidden.get("data", [])))


async def result(shop: Shop, request: Request) -> Response:
    """The result of a job, whole."""
    veiled = (await found(shop, request)).veiled
    return as_json(whole(veiled.job.result, veiled.hidden.get("result", [])))


class One(Struct, frozen=True):
    """A job, as it is and as it may be shown, and what holds for its queue."""

    job: JobView
    veiled: Veiled
    policy: QueuePolicy


async def found(shop: Shop, request: Request) -> One:
    """The job of the path. Raises JobNotFound, UnknownQueue."""
    queue = await queue_of(shop, request)
    find = partial(_find, holding(shop.plan, queue), request.params["id"], shop.desk.veils)
    return await shop.desk.hands.run(find)


def _find(hold: Hold, id: str, veils: Veils, connection: BlockingConnection) -> One:
    hands = hold(connection)
    if not ID.fullmatch(id):
        raise JobNotFound(
            f"queue {hands.queue!r} keeps no job of this id", "ids are of A-Z a-z 0-9 _ . : @ -"
        )
    job = hands.job(id)
    return One(job, veils.veil(job), hands.policy())


ROUTES = (
    Route("GET", f"{BASE}/queues/{{queue}}/jobs", "viewer", list_jobs, "The jobs of a queue, newest first.",
          query=JobsQuery, answer=JobList),
    Route("GET", f"{BASE}/queues/{{queue}}/jobs/{{id}}", "viewer", show, "Everything that is kept of a job.",
          answer=JobPage),
    Route("GET", f"{BASE}/queues/{{queue}}/jobs/{{id}}/data", "viewer", data, "The payload of a job, whole.",
          answer=Whole),
    Route("GET", f"{BASE}/queues/{{queue}}/jobs/{{id}}/result", "viewer", result, "The result of a job, whole.",
          answer=Whole),
)  # fmt: skip
