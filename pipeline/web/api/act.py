"""One job moved or changed by a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from pipeline.changes import UNCHANGED
from pipeline.errors import WrongState
from pipeline.job import State
from pipeline.store.call import run
from pipeline.store.operator import Operator
from pipeline.store.reader import JobView, Reader
from pipeline.web.api.common import BASE, unseen
from pipeline.web.api.enqueue import Enqueued, enqueued
from pipeline.web.api.jobs import found
from pipeline.web.inputs import body, duration, fitted, time_of
from pipeline.web.moves import holding
from pipeline.web.request import Request
from pipeline.web.response import Refused, Response, as_json, exact
from pipeline.web.restore import restore
from pipeline.web.route import Route
from pipeline.web.shop import Shop

STOP_SECONDS = 2.0
LOOK_SECONDS = 0.05


class If(Struct, frozen=True, kw_only=True):
    """Only when the job is in this state."""

    if_state: State | None = None


class Copy(Struct, frozen=True, kw_only=True):
    """The id of the copy, if it is to be one of your own."""

    id: str | None = None


class JobChange(Struct, frozen=True, kw_only=True):
    """What is to be different; what is not given stays."""

    data: Any = UNSET
    priority: int | None = None
    delay: str | None = None
    at: int | str | None = None
    front: bool = False
    if_state: State | None = None


class Moved(Struct, frozen=True, kw_only=True):
    """The state that a job is in now, or `removed`. `stopping`: it was told to, and has not ended yet."""

    queue: str
    id: str
    state: str
    stopping: bool = False


async def change(shop: Shop, request: Request) -> Response:
    """A new payload, priority or time for a job that does not run."""
    wanted = body(request, JobChange)
    given = {"data": wanted.data is not UNSET, "priority": wanted.priority is not None,
             "delay": wanted.delay is not None, "at": wanted.at is not None, "front": wanted.front}  # fmt: skip
    if not any(given.values()):
        raise Refused(422, "invalid", "nothing is to be changed", f"say one of {', '.join(given)}")
    one = await found(shop, request)
    job = one.job
    _check(job, wanted.if_state)
    duration("delay", wanted.delay)
    given_data = UNCHANGED
    if not isinstance(wanted.data, UnsetType):
        given_data = restore(wanted.data, exact(one.veiled.job.data), job.data)
    at = time_of("at", wanted.at)
    with unseen(shop.desk.veils.mask(job)):
        state = await shop.client.update(
            job.queue,
            job.id,
            data=given_data,
            priority=wanted.priority,
            delay=wanted.delay,
            at=at,
            front=wanted.front,
        )
    return as_json(Moved(queue=job.queue, id=job.id, state=state))


async def retry(shop: Shop, request: Request) -> Response:
    """A dead or cancelled job waits again, from attempt 1."""
    return await _move(shop, request, Operator.redrive, "waiting")


async def promote(shop: Shop, request: Request) -> Response:
    """A delayed job is due now."""
    return await _move(shop, request, Operator.promote, "waiting")


async def remove(shop: Shop, request: Request) -> Response:
    """A job that does not run is deleted."""
    return await _move(shop, request, Operator.remove, "removed")


async def cancel(shop: Shop, request: Request) -> Response:
    """A job that waits is withdrawn, one that runs is stopped."""
    answer = await _hold(shop, request, Operator.cancel)
    queue, id = request.params["queue"], request.params["id"]
    if answer != "active":
        return as_json(Moved(queue=queue, id=id, state="cancelled"))
    until, reader = time.monotonic() + STOP_SECONDS, Reader(shop.project, queue)
    state = "active"
    while state == "active" and time.monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)
        (job,) = await run(shop.connection, reader.show([id]))
        state = "cancelled" if job is None else job.state
    return as_json(Moved(queue=queue, id=id, state=state, stopping=state == "active"))


async def duplicate(shop: Shop, request: Request) -> Response:
    """A job like this one, due now, whatever became of it."""
    job = (await found(shop, request)).job
    with unseen(shop.desk.veils.mask(job)):
        accepted = await shop.client.duplicate(job.queue, job.id, new_id=body(request, Copy).id)
    return enqueued(job.queue, accepted)


async def _move(shop: Shop, request: Request, move: Callable[[Operator, str], Any], state: str) -> Response:
    await _hold(shop, request, move)
    return as_json(Moved(queue=request.params["queue"], id=request.params["id"], state=state))


async def _hold(shop: Shop, request: Request, move: Callable[[Operator, str], Any]) -> Any:
    """Move the job of the path. Raises JobNotFound, WrongState, UnknownQueue."""
    if request.method == "DELETE":
        wanted = fitted({"if_state": request.query.get("if_state") or None}, If)
    else:
        wanted = body(request, If)
    one = await found(shop, request)
    job = one.job
    _check(job, wanted.if_state)
    hold = holding(shop.plan, job.queue)
    return await shop.desk.hands.run(lambda connection: move(hold(connection), job.id))


def _check(job: JobView, state: State | None) -> None:
    if state is not None and job.state != state:
        raise WrongState(
            f"job {job.id} of {job.queue!r} is {job.state} by now, not {state}", "look at it again"
        )


_JOB = f"{BASE}/queues/{{queue}}/jobs/{{id}}"
ROUTES = (
    Route("PATCH", _JOB, "operator", change, "Another payload, priority or time for a job that does not run.",
          body=JobChange, answer=Moved, most_body=16 * 1024 * 1024),
    Route("POST", f"{_JOB}/retry", "operator", retry, "A dead or cancelled job waits again.", body=If, answer=Moved),
    Route("POST", f"{_JOB}/cancel", "operator", cancel, "A job is withdrawn, or stopped.", body=If, answer=Moved),
    Route("POST", f"{_JOB}/promote", "operator", promote, "A delayed job is due now.", body=If, answer=Moved),
    Route("POST", f"{_JOB}/duplicate", "operator", duplicate, "A job like this one.", body=Copy, answer=Enqueued),
    Route("DELETE", _JOB, "operator", remove, "A job that does not run is deleted.", query=If, answer=Moved),
)  # fmt: skip
