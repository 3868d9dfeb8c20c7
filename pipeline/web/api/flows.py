"""Flows: lists, each with its steps, and a person's hands on them."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import FlowNotFound
from pipeline.flow import FLOW_ID, FlowPolicy
from pipeline.flowview import FlowView, StepView
from pipeline.plan import Plan
from pipeline.status.flows import FlowFigures, look_at_flows
from pipeline.store.call import run
from pipeline.store.flowlist import FlowLine, list_flows
from pipeline.store.flows import OVER, FlowState, FlowStore, StepError, decode_flow
from pipeline.web.api.common import BASE, Part, builtins, part
from pipeline.web.flowveil import rules_of
from pipeline.web.inputs import body, number
from pipeline.web.redact import HIDDEN, Found, Mask, hide
from pipeline.web.request import Request
from pipeline.web.response import Refused, Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

MOST = 500
STATES = ("running", "failing", "handling", "cancelling", *OVER)


class StepLine(Struct, frozen=True, kw_only=True):
    """A step of a flow of the file."""

    name: str
    queue: str
    job: str
    needs: list[str]
    kind: str
    for_each: bool


class FlowKind(Struct, frozen=True, kw_only=True):
    """The flows of one name: those that have not ended, and totals that only rise."""

    flow: str
    in_file: bool
    open: int
    started_total: int
    completed_total: int
    failed_total: int
    cancelled_total: int
    retried_total: int
    steps: list[StepLine]


class FlowsQuery(Struct, frozen=True):
    """Which flows."""

    flow: str | None = None
    state: FlowState | None = None
    limit: int = 100


class FlowList(Struct, frozen=True):
    """Flows, and what there is of each name."""

    flows: list[FlowLine]
    names: list[FlowKind]


class FlowPage(Struct, frozen=True, kw_only=True):
    """All that is kept of a flow."""

    id: str
    flow: str
    state: FlowState
    data: Part | None
    started_at: int
    finished_at: int | None
    error: StepError | None
    steps: list[StepView]
    actions: list[Literal["cancel", "retry"]]


class Start(Struct, frozen=True, kw_only=True):
    """What the steps of a new flow get; `id` is what is to stand behind its name: it begins once only."""

    data: Any = None
    id: str | None = None


class Started(Struct, frozen=True):
    """The id that stands, and whether the flow is new."""

    id: str
    status: Literal["created", "duplicate"]


class FlowMoved(Struct, frozen=True):
    """The state that a flow is in now."""

    id: str
    state: FlowState


async def show_all(shop: Shop, request: Request) -> Response:
    """The flows that are kept, those that have not ended first."""
    name, state = (request.query.get(field) or None for field in ("flow", "state"))
    if state is not None and state not in STATES:
        raise Refused(422, "invalid", f"{state[:40]!r} is no state", f"there are {', '.join(STATES)}")
    limit, plan = number(request, "limit", 100, 1, MOST), shop.plan
    figures = await look_at_flows(shop.connection, plan)
    if name is not None and name not in figures:
        raise Refused(404, "unknown_flow", f"there is no flow {name[:64]!r}")
    found = await shop.desk.hands.run(partial(list_flows, plan=plan, name=name, state=state, limit=limit))
    return as_json(FlowList(found, [_kind(plan, name, one) for name, one in figures.items()]))


def _kind(plan: Plan, name: str, figures: FlowFigures) -> FlowKind:
    policy = plan.flows.get(name)
    steps = [
        StepLine(
            name=step,
            queue=own.queue,
            job=own.job,
            needs=list(own.needs),
            kind=own.kind,
            for_each=own.for_each is not None,
        )
        for step, own in (policy.steps if policy else {}).items()
    ]
    return FlowKind(flow=name, in_file=policy is not None, steps=steps, **builtins(figures))


async def show(shop: Shop, request: Request) -> Response:
    """A flow with its steps."""
    id = _id(request)
    flow = await shop.client.flow(id)
    (definition,) = await run(shop.connection, FlowStore(shop.project, flow.flow).values(id, ["definition"]))
    return as_json(await _page(shop, flow, decode_flow(definition) if definition else None))


async def _page(shop: Shop, flow: FlowView, policy: FlowPolicy | None) -> FlowPage:
    for step in flow.steps:
        await shop.desk.veils.learn(step.queue)
    found = Found()
    paths = rules_of(policy, shop.desk.veils.of) if policy else ((),)
    data = hide(flow.data, paths, "data", found)
    mask = found.mask()
    if mask:
        data = mask.value(data)
    return FlowPage(
        id=flow.id,
        flow=flow.flow,
        state=flow.state,  # type: ignore[arg-type]
        data=part(data, found.paths),
        started_at=flow.started_at,
        finished_at=flow.finished_at,
        error=_error(flow.error, mask, hidden=False),
        steps=[
            replace(
                step, error=_error(step.error, mask, hidden="error" in shop.desk.veils.of(step.queue).whole)
            )
            for step in flow.steps
        ],
        actions=["retry"]
        if flow.state in ("failed", "cancelled")
        else []
        if flow.state in OVER
        else ["cancel"],
    )


def _error(error: StepError | None, mask: Mask, *, hidden: bool) -> StepError | None:
    if error is None:
        return None
    return replace(error, message=HIDDEN if hidden else mask.text(error.message))


async def start(shop: Shop, request: Request) -> Response:
    """Begin a flow."""
    wanted = body(request, Start)
    started = await shop.client.start_flow(request.params["flow"], wanted.data, id=wanted.id)
    created = started.status == "created"
    return as_json(Started(started.id, "created" if created else "duplicate"), 201 if created else 200)


async def cancel(shop: Shop, request: Request) -> Response:
    """Begin nothing more of a flow, and cancel its jobs."""
    id = _id(request)
    await shop.client.cancel_flow(id)
    return await _moved(shop, id)


async def retry(shop: Shop, request: Request) -> Response:
    """Let a failed or cancelled flow go on at what did not end well."""
    id = _id(request)
    await shop.client.retry_flow(id)
    return await _moved(shop, id)


async def _moved(shop: Shop, id: str) -> Response:
    return as_json({"id": id, "state": (await shop.client.flow(id)).state})


def _id(request: Request) -> str:
    """The id of the path's flow. Raises FlowNotFound."""
    name, own = request.params["flow"], request.params["id"]
    id = own if own.startswith(f"{name}:") else f"{name}:{own}"
    if not FLOW_ID.fullmatch(id):
        raise FlowNotFound(f"there is no flow {id[:200]!r}")
    return id


_ONE = f"{BASE}/flows/{{flow}}/{{id}}"
ROUTES = (
    Route("GET", f"{BASE}/flows", "viewer", show_all, "The flows that are kept.", query=FlowsQuery, answer=FlowList),
    Route("GET", _ONE, "viewer", show, "A flow with its steps.", answer=FlowPage),
    Route("POST", f"{BASE}/flows/{{flow}}", "operator", start, "Begin a flow.", body=Start, answer=Started),
    Route("POST", f"{_ONE}/cancel", "operator", cancel, "Stop a flow.", answer=FlowMoved),
    Route("POST", f"{_ONE}/retry", "operator", retry, "Let a flow go on.", answer=FlowMoved),
)  # fmt: skip
