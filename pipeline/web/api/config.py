"""What the file says, what runs, and the generations before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pipeline import leaves
from pipeline.control import Outcome, speakers
from pipeline.control import Request as Order
from pipeline.diff import Change, diff
from pipeline.errors import NotRunning
from pipeline.plan import Plan
from pipeline.status import supervisors
from pipeline.status.generations import changes_of, one_of
from pipeline.store import history, reader
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run
from pipeline.store.history import Applied
from pipeline.web.api.common import BASE, by
from pipeline.web.effective import ConfigLine, effective_of
from pipeline.web.hiding import shown, without
from pipeline.web.inputs import number
from pipeline.web.request import Request
from pipeline.web.response import Refused, Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

MOST_GENERATION = 2**53
PATIENCE_SECONDS = 25.0


class ChangeLine(Struct, frozen=True, rename={"from_": "from", "class_": "class"}):
    """A difference between two generations, and how it reaches what runs."""

    path: str
    kind: Literal["added", "removed", "changed"]
    from_: Any
    to: Any
    class_: Literal["hot", "rolling", "restart"]
    queue: str | None = None


class ValueLine(Struct, frozen=True):
    """A value that runs."""

    path: str
    value: Any


class ConfigPage(Struct, frozen=True, kw_only=True):
    """The file against what runs. `error` are the mistakes of the file, as text; `stale` why it cannot be applied."""

    file: str
    profile: str | None
    generation: int
    hash: str
    in_sync: bool | None
    stale: str | None
    error: str | None
    lines: list[ConfigLine]
    pending: list[ChangeLine]
    running: list[ValueLine]


class Generation(Struct, frozen=True, kw_only=True):
    """A config that was applied. `changes` is None when the one before is not kept any more."""

    generation: int
    hash: str
    applied_at: int
    by: str
    file: str
    origin: str
    rolled_back_to: int | None
    running: bool
    changes: list[ChangeLine] | None


class GenerationList(Struct, frozen=True):
    """The generations that are kept, the newest first."""

    generations: list[Generation]


class OneGeneration(Struct, frozen=True):
    """One generation; with `against` what changed on the way to it from that one."""

    generation: Generation
    against: int | None = None
    changes: list[ChangeLine] | None = None


class AgainstQuery(Struct, frozen=True):
    """The generation that it is compared with."""

    against: int | None = None


class Applying(Struct, frozen=True):
    """What came of it; `under_way`: workers are still replaced."""

    status: Literal["applied", "unchanged", "under_way"]
    generation: int
    changes: list[str]
    reason: str | None = None


async def show(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """The file against what runs."""
    plan = shop.plan
    found = await effective_of(plan.file, plan.profile)
    snapshot = (await shop.desk.look.newest()).snapshot
    pending = [] if found.plan is None else diff(plan, found.plan)
    page = ConfigPage(
        file=plan.file,
        profile=plan.profile,
        generation=shop.generation,
        hash=plan.hash,
        in_sync=None
        if snapshot.in_sync is None
        else snapshot.in_sync and not pending and found.error is None,
        stale=snapshot.stale,
        error=found.error,
        lines=found.lines,
        pending=_lines(shop, found.plan or plan, pending),
        running=[
            ValueLine(path, shown(path, value, plan, shop.desk.veils.of)) for path, value in values(plan)
        ],
    )
    return as_json(page)


async def show_all(shop: Shop, request: Request) -> Response:  # noqa: ARG001 - a handler's signature
    """The generations that were applied."""
    kept, running = await _kept(shop)
    return as_json(GenerationList([_generation(shop, one, kept, running) for one in kept.values()]))


async def show_one(shop: Shop, request: Request) -> Response:
    """One generation, or what changed on the way to it from another."""
    kept, running = await _kept(shop)
    one = one_of(kept, _number(request))
    told = _generation(shop, one, kept, running)
    if not request.query.get("against"):
        return as_json(OneGeneration(told))
    before = one_of(kept, number(request, "against", 1, 1, MOST_GENERATION))
    return as_json(
        OneGeneration(told, before.generation, _lines(shop, one.plan, diff(before.plan, one.plan)))
    )


async def reload(shop: Shop, request: Request) -> Response:
    """Apply the file as it is now."""
    return await _apply(shop, Order("reload", by(request)))


async def rollback(shop: Shop, request: Request) -> Response:
    """Go back to an older generation."""
    kept, _ = await _kept(shop)
    return await _apply(shop, Order("rollback", by(request), to=one_of(kept, _number(request)).generation))


async def _apply(shop: Shop, order: Order) -> Response:
    outcome = await shop.desk.hands.run(partial(_ask, shop.plan.root, order))
    if outcome is None:
        return as_json(Applying("under_way", shop.generation, []), 202)
    secrets = shop.plan.secrets
    reason = without(outcome.reason, secrets)
    if outcome.status not in ("applied", "unchanged"):
        raise Refused(409, outcome.status, reason or "it was not applied", "what ran before runs on")
    return as_json(Applying(outcome.status, outcome.generation, without(outcome.changes, secrets), reason))


def _ask(root: str, order: Order, _: BlockingConnection) -> Outcome | None:
    """What the supervisors of this root say, the worst of it; None while one of them is not done. Raises NotRunning."""
    outcomes: list[Outcome] = []
    for speaker in speakers(root):
        try:
            answer = speaker.ask(order, lambda _: None, PATIENCE_SECONDS)
        except TimeoutError:
            return None
        outcomes.append(msgspec.convert(answer, Outcome))
    if not outcomes:
        raise NotRunning("no supervisor runs in this project", "start one: pipeline run")
    return next((one for one in outcomes if one.status not in ("applied", "unchanged")), outcomes[0])


async def _kept(shop: Shop) -> tuple[dict[int, Applied], set[int]]:
    """The generations that are kept, the newest first, and the numbers of those that run."""
    kept = await run(shop.connection, history.read(shop.project))
    time = await run(shop.connection, reader.server_time())
    records = await run(shop.connection, reader.supervisors(shop.project))
    found = supervisors.read(records, time)
    return {one.generation: one for one in kept}, {one.generation for one in found if one.until >= time}


def _generation(shop: Shop, one: Applied, kept: dict[int, Applied], running: set[int]) -> Generation:
    changes = changes_of(one, kept)
    return Generation(
        generation=one.generation,
        hash=one.hash,
        applied_at=one.at,
        by=one.by,
        file=one.file,
        origin=one.origin,
        rolled_back_to=one.to,
        running=one.generation in running,
        changes=None if changes is None else _lines(shop, one.plan, changes),
    )


def _lines(shop: Shop, plan: Plan, changes: Iterable[Change]) -> list[ChangeLine]:
    """Differences, as they may be shown."""
    veils = shop.desk.veils

    def seen(path: str, value: Any) -> Any:
        return shown(path, without(value, shop.plan.secrets), plan, veils.of)

    return [
        ChangeLine(
            one.path, one.kind, seen(one.path, one.from_), seen(one.path, one.to), one.change_class, one.queue
        )
        for one in changes
    ]


def _number(request: Request) -> int:
    """The generation of the path. Raises Refused (404)."""
    text = request.params["n"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(404, "not_found", f"there is no generation {text[:40]!r}")
    return int(text)


def values(plan: Plan) -> Iterator[tuple[str, Any]]:
    """Every value that the plan has, by its path in the file."""
    blocks: list[tuple[str, leaves.Leaves]] = [("", leaves.of_project(plan))]
    blocks += [(f"alerts.{name}.", leaves.of_alert(one)) for name, one in plan.alerts.items()]
    blocks += [(f"pools.{name}.", leaves.of_pool(one)) for name, one in plan.pools.items()]
    for name, queue in plan.queues.items():
        jobs = {f"jobs.{job}.": own for job, own in queue.jobs.items()} | (
            {"": queue.others} if queue.others else {}
        )
        blocks.append((f"queues.{name}.", leaves.of_queue(queue)))
        for job, own in jobs.items():
            said = leaves.of_job(own, two_limits=own.timeout.soft is not None)
            blocks.append((f"queues.{name}.{job}", said | {"schema": "a schema" if own.schema else None}))
    blocks += [(f"schedules.{name}.", leaves.of_schedule(one)) for name, one in plan.schedules.items()]
    for name, flow in plan.flows.items():
        blocks.append((f"flows.{name}.", leaves.of_flow(flow)))
        blocks += [(f"flows.{name}.steps.{step}.", leaves.of_step(own)) for step, own in flow.steps.items()]
    for prefix, said in blocks:
        yield from ((prefix + path, value) for path, value in said.items() if value is not None)


ROUTES = (
    Route("GET", f"{BASE}/config", "viewer", show, "The file against what runs.", answer=ConfigPage),
    Route("POST", f"{BASE}/config/reload", "admin", reload, "Apply the file as it is now.", answer=Applying),
    Route("GET", f"{BASE}/history", "viewer", show_all, "The generations that were applied.", answer=GenerationList),
    Route("GET", f"{BASE}/history/{{n}}", "viewer", show_one, "One generation, or the way to it from another.",
          query=AgainstQuery, answer=OneGeneration),
    Route("POST", f"{BASE}/history/{{n}}/rollback", "admin", rollback, "Go back to a generation.", answer=Applying),
)  # fmt: skip
