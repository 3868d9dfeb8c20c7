"""What is kept of a flow, as people and programs see it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from pipeline.flow import Member, StepPolicy
from pipeline.store.flows import StepError, decode_flow


class Failed(Struct, frozen=True):
    """What failed in a flow: a step, or with None its time limit."""

    step: str | None
    type: str
    message: str


class StepView(Struct, frozen=True, kw_only=True):
    """A step of a flow. `state` is blocked, ready (its jobs are being made), running, done, failed, cancelled or skipped;
    `total`, `done` and `failed` count its jobs; `ids` are those of its job, or of the first and last one."""

    name: str
    queue: str
    job: str
    needs: tuple[str, ...]
    kind: str
    state: str
    total: int | None
    done: int
    failed: int
    round: int
    error: StepError | None
    ids: tuple[str, ...]


class FlowView(Struct, frozen=True, kw_only=True):
    """What is kept of a flow. Times are ms since 1970. `error` is the flow's own: its time limit. State: running; failing
    (what runs ends); handling (its on_failure steps run); cancelling; completed, failed, cancelled."""

    id: str
    flow: str
    state: str
    data: Any
    started_at: int
    finished_at: int | None
    error: StepError | None
    steps: list[StepView]


def view_of(id: str, own: dict[str, bytes]) -> FlowView:
    policy = decode_flow(own["definition"])
    finished = own.get("finished_at")
    return FlowView(
        id=id,
        flow=policy.name,
        state=own["state"].decode(),
        data=msgspec.json.decode(own["data"]),
        started_at=int(own["started_at"]),
        finished_at=int(finished) if finished else None,
        error=msgspec.json.decode(own["error"], type=StepError) if "error" in own else None,
        steps=[_step_view(id, name, step, own) for name, step in policy.steps.items()],
    )


def _step_view(id: str, name: str, step: StepPolicy, own: dict[str, bytes]) -> StepView:
    state, round, opened = (own[f"{name}.{field}"].decode() for field in ("state", "round", "opened"))
    ended, bad, total = int(own[f"{name}.done"]), int(own[f"{name}.bad"]), own.get(f"{name}.total")
    error = own.get(f"{name}.error")
    indexes = [None] if step.for_each is None else sorted({0, int(opened) - 1})
    made = [Member(id, name, index, int(round)).job for index in indexes if int(opened)]
    return StepView(
        name=name,
        queue=step.queue,
        job=step.job,
        needs=step.needs,
        kind=step.kind,
        state=state,
        total=int(total) if total is not None else None,
        done=max(ended - bad, 0),
        failed=bad,
        round=int(round),
        error=msgspec.json.decode(error[1:], type=StepError) if error else None,
        ids=tuple(made),
    )


def failure_of(step: str | None, text: bytes) -> Failed:
    error = msgspec.json.decode(text, type=StepError)
    return Failed(step, error.type, error.message)
