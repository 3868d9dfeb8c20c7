"""Many jobs at once: a task that is begun, looked at, and stopped."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pipeline.job import State
from pipeline.store.bulk import DEEDS
from pipeline.store.call import run
from pipeline.store.careful import Care
from pipeline.store.reader import server_time
from pipeline.web import moves
from pipeline.web.api.common import BASE, by, queue_of
from pipeline.web.api.filters import Filters, filter_of, is_empty
from pipeline.web.guard import RANKS
from pipeline.web.inputs import body, duration
from pipeline.web.request import Request
from pipeline.web.response import Refused, Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop
from pipeline.web.tasks import Do, Task, Work

MOST_IDS = 10_000
PATIENCE_MS, STOP_AT = 600_000, 0.2
FASTEST = 10_000.0
MOST_PROBED = 10_000
TAKEN: dict[Do, tuple[State, ...]] = {
    "retry": ("dead",),
    "redrive": ("dead",),
    "cancel": ("waiting", "delayed"),
    "promote": ("delayed",),
    "remove": (),
    "purge": (),
}
"""From which states, when nobody says."""


class CareGiven(Struct, frozen=True, kw_only=True):
    """`rate` is jobs a second; `probe` go first, and no more when over the share `stop_at` of those sent died again."""

    filters: Filters | None = None
    rate: float | None = None
    probe: int | None = None
    stop_at: float | None = None
    patience: str | None = None


class Bulk(CareGiven, frozen=True, kw_only=True):
    """What to do with which jobs: those of `ids`, those that `filters` mean, or `all`."""

    do: Do
    ids: list[str] | None = None
    states: list[State] | None = None
    all: bool = False


class OneTask(Struct, frozen=True):
    """A task."""

    task: Task


class AllTasks(Struct, frozen=True):
    """Every task that is known, the newest first."""

    tasks: list[Task]


async def begin(shop: Shop, request: Request) -> Response:
    """Move many jobs."""
    queue = await queue_of(shop, request)
    given = body(request, Bulk)
    if given.do == "purge":
        return _start(shop, request, queue, "purge", _purge(shop, request, queue, given))
    if [bool(given.ids), given.filters is not None and not is_empty(given.filters), given.all].count(
        True
    ) != 1:
        raise Refused(422, "invalid", "say which jobs: ids, filters, or all", "one of them, and no other")
    if given.do == "redrive":
        return await _careful(shop, request, queue, given, given.ids)
    states = _states(given)
    hold = moves.holding(shop.plan, queue)
    if given.ids:
        return _start(shop, request, queue, given.do, moves.these(hold, given.do, _ids(given.ids), states))
    filters = given.filters or Filters()
    only = filter_of(filters, shop.desk.veils.seen, await run(shop.connection, server_time()))
    work = moves.meant(hold, given.do, states, only, everything=is_empty(filters))
    return _start(shop, request, queue, given.do, work)


async def redrive(shop: Shop, request: Request) -> Response:
    """Redrive dead jobs with care."""
    queue = await queue_of(shop, request)
    return await _careful(shop, request, queue, body(request, CareGiven), None)


async def purge(shop: Shop, request: Request) -> Response:
    """Delete all jobs of a queue that wait."""
    queue = await queue_of(shop, request)
    body(request, Nothing)
    return _start(shop, request, queue, "purge", moves.purging(moves.holding(shop.plan, queue)))


class Nothing(Struct, frozen=True):
    """There is nothing to say."""


async def show(shop: Shop, request: Request) -> Response:
    """How a task gets on."""
    return as_json(OneTask(shop.desk.tasks.one(request.params["task"]).task))


async def show_all(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """How all tasks get on."""
    return as_json(AllTasks(shop.desk.tasks.all()))


async def stop(shop: Shop, request: Request) -> Response:
    """End a task behind the chunk that is under way."""
    run = shop.desk.tasks.one(request.params["task"])
    if run.task.do == "purge":
        _needs_admin(request)
    run.stop()
    return as_json(OneTask(run.task))


async def _careful(
    shop: Shop, request: Request, queue: str, given: CareGiven, ids: list[str] | None
) -> Response:
    care = _care(given)
    hold = moves.holding(shop.plan, queue)
    if ids is not None:
        return _start(shop, request, queue, "redrive", moves.with_care(hold, _ids(ids), care))
    now = await run(shop.connection, server_time())
    only = filter_of(given.filters or Filters(), shop.desk.veils.seen, now)
    return _start(shop, request, queue, "redrive", moves.with_care(hold, only, care))


def _care(given: CareGiven) -> Care:
    """The care that is meant. Raises Refused (422)."""
    if given.rate is not None and not 0.001 <= given.rate <= FASTEST:
        raise Refused(422, "invalid", f"rate is jobs a second, 0.001 to {FASTEST:,.0f}")
    if given.probe is not None and not 1 <= given.probe <= MOST_PROBED:
        raise Refused(422, "invalid", f"probe is 1 to {MOST_PROBED:,} jobs")
    if given.stop_at is not None and not 0 <= given.stop_at <= 1:
        raise Refused(422, "invalid", "stop_at is a share from 0 to 1", "0.2 is a fifth")
    stop_at = STOP_AT if given.stop_at is None and given.probe else given.stop_at
    patience = duration("patience", given.patience)
    return Care(given.probe or 0, stop_at, given.rate, PATIENCE_MS if patience is None else patience)


def _states(given: Bulk) -> tuple[State, ...]:
    """From which states. Raises Refused (422) for one that the move does not take."""
    kind: Literal["retry", "cancel", "remove", "promote"] = given.do  # type: ignore[assignment]
    possible = DEEDS[kind].states
    for state in given.states or ():
        if state not in possible:
            raise Refused(422, "invalid", f"{given.do} takes no {state} jobs", f"only {', '.join(possible)}")
    if given.ids:
        return tuple(given.states or possible)
    if not (given.states or TAKEN[given.do]):
        raise Refused(422, "invalid", "say from which states", f"states: some of {', '.join(possible)}")
    return tuple(given.states or TAKEN[given.do])


def _ids(ids: list[str]) -> list[str]:
    if len(ids) > MOST_IDS:
        raise Refused(422, "invalid", f"{MOST_IDS:,} ids at most", "several times, or filters")
    return list(dict.fromkeys(ids))


def _purge(shop: Shop, request: Request, queue: str, given: Bulk) -> Work:
    _needs_admin(request)
    if given.ids or given.filters or given.states:
        raise Refused(422, "invalid", "purge takes all jobs that wait", "remove takes ids and filters")
    return moves.purging(moves.holding(shop.plan, queue))


def _needs_admin(request: Request) -> None:
    if RANKS[request.who.role] < RANKS["admin"]:
        raise Refused(
            403, "role", "a purge needs the role admin", f"{request.who.user} has {request.who.role}"
        )


def _start(shop: Shop, request: Request, queue: str, do: Do, work: Work) -> Response:
    return as_json(OneTask(shop.desk.tasks.start(queue, do, by(request), work)), 202)


_QUEUE = f"{BASE}/queues/{{queue}}"
ROUTES = (
    Route("POST", f"{_QUEUE}/bulk", "operator", begin, "Move many jobs.", body=Bulk, answer=OneTask),
    Route("POST", f"{_QUEUE}/redrive", "operator", redrive, "Redrive dead jobs with care.", body=CareGiven, answer=OneTask),
    Route("POST", f"{_QUEUE}/purge", "admin", purge, "Delete all jobs that wait.", body=Nothing, answer=OneTask),
    Route("GET", f"{BASE}/tasks", "viewer", show_all, "How all tasks get on.", answer=AllTasks),
    Route("GET", f"{BASE}/tasks/{{task}}", "viewer", show, "How a task gets on.", answer=OneTask),
    Route("DELETE", f"{BASE}/tasks/{{task}}", "operator", stop, "Stop a task.", answer=OneTask),
)  # fmt: skip
