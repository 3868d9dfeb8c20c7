"""A job as the API shows it: in a list, and on a page of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from pipeline.job import Letter, State, encode
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.store.reader import JobView
from pipeline.web.api.common import Error, Part, part, short
from pipeline.web.redact import Veiled

Action = Literal["retry", "cancel", "promote", "remove", "duplicate", "edit"]
ACTIONS: dict[State, tuple[Action, ...]] = {
    "waiting": ("cancel", "remove", "duplicate", "edit"),
    "delayed": ("promote", "cancel", "remove", "duplicate", "edit"),
    "active": ("cancel", "duplicate"),
    "blocked": ("duplicate",),
    "completed": ("remove", "duplicate"),
    "dead": ("retry", "remove", "duplicate", "edit"),
    "cancelled": ("retry", "remove", "duplicate", "edit"),
}


class JobLine(Struct, frozen=True, kw_only=True):
    """A job in a list. Times are ms since 1970."""

    id: str
    queue: str
    name: str
    state: State
    priority: int
    attempt: int
    attempts: int
    crashes: int
    redriven: int
    enqueued_at: int
    started_at: int | None
    finished_at: int | None
    due_at: int | None
    worker: str | None
    lane: str | None
    key: str | None
    flow: str | None
    data_bytes: int
    error: Error | None


class FullError(Struct, frozen=True):
    """Why the last attempt failed."""

    type: str
    message: str
    traceback: str | None


class FailedAttempt(Struct, frozen=True):
    """An attempt that failed, at `at` (ms since 1970)."""

    attempt: int
    at: int
    type: str
    message: str
    traceback: str


class BackoffShown(Struct, frozen=True):
    """The pauses between attempts."""

    type: str
    delay_ms: int
    max_ms: int | None
    jitter: float
    delays_ms: list[int]


class OptionsShown(Struct, frozen=True, kw_only=True):
    """What holds for the job: its own, or the file's."""

    attempts: int
    priority: int
    backoff: BackoffShown | None
    timeout_ms: int | None
    soft_timeout_ms: int | None
    expires_at: int | None
    key: str | None
    lane: str | None
    handler: str | None


class Moment(Struct, frozen=True):
    """Something that happened to the job."""

    at: int
    event: Literal["enqueued", "failed", "started", "due", "completed", "dead", "cancelled"]
    attempt: int | None = None
    text: str | None = None


class FlowStep(Struct, frozen=True):
    """The flow whose step the job is."""

    id: str
    step: str


class JobPage(Struct, frozen=True, kw_only=True):
    """All that is kept of a job."""

    job: JobLine
    data: Part | None
    result: Part | None
    progress: Part | None
    error: FullError | None
    errors: list[FailedAttempt]
    logs: list[str]
    options: OptionsShown
    timeline: list[Moment]
    dead_letter: Letter | None
    flow: FlowStep | None
    actions: tuple[Action, ...]


def line(job: JobView, data_bytes: int, *, cut: bool = True) -> JobLine:
    """A job in a list. `job` is as it may be shown, `data_bytes` the size of its payload as it is."""
    shown = short if cut else str
    error = job.error
    return JobLine(
        id=job.id,
        queue=job.queue,
        name=shown(job.name),
        state=job.state,
        priority=job.priority,
        attempt=job.attempt,
        attempts=job.attempts,
        crashes=job.crashes,
        redriven=job.redriven,
        enqueued_at=job.enqueued_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        due_at=job.due_at,
        worker=job.worker,
        lane=None if job.lane is None else shown(job.lane),
        key=shown(job.key) if job.key else None,
        flow=job.flow,
        data_bytes=data_bytes,
        error=None if error is None else Error(shown(error.type), shown(error.message)),
    )


def page(veiled: Veiled, data_bytes: int, policy: QueuePolicy | None) -> JobPage:
    """A job on a page of its own."""
    job, hidden = veiled.job, veiled.hidden
    error = job.error
    return JobPage(
        job=line(job, data_bytes, cut=False),
        data=part(job.data, hidden.get("data", [])),
        result=part(job.result, hidden.get("result", [])),
        progress=part(job.progress, hidden.get("progress", [])),
        error=None if error is None else FullError(error.type, error.message, error.traceback),
        errors=[FailedAttempt(e.attempt, e.at, e.type, e.message, e.traceback) for e in job.errors],
        logs=job.logs,
        options=options(job, policy.job(job.name) if policy else None),
        timeline=sorted(timeline(job), key=lambda moment: moment.at),
        dead_letter=job.dead_letter,
        flow=FlowStep(job.flow, step_of(job.flow, job.id)) if job.flow else None,
        actions=ACTIONS[job.state],
    )


def size(job: JobView) -> int:
    """The bytes of a job's payload."""
    return len(encode(job.data))


def step_of(flow: str, job: str) -> str:
    """The step of a flow whose job this is."""
    return job.removeprefix(f"{flow}:").partition(":")[0]


def options(job: JobView, policy: JobPolicy | None) -> OptionsShown:
    """What holds for a job."""
    known = policy or JobPolicy()
    backoff, timeout = job.backoff or known.retry.backoff, job.timeout or known.timeout
    return OptionsShown(
        attempts=job.attempts,
        priority=job.priority,
        backoff=None
        if backoff is None
        else BackoffShown(backoff.type, backoff.delay, backoff.max, backoff.jitter, list(backoff.delays)),
        timeout_ms=timeout.hard,
        soft_timeout_ms=timeout.soft,
        expires_at=job.expires_at,
        key=job.key or None,
        lane=job.lane,
        handler=known.handler,
    )


def timeline(job: JobView) -> Iterator[Moment]:
    """What happened to a job, as far as it is kept, in no order."""
    yield Moment(job.enqueued_at, "enqueued")
    for error in job.errors:
        yield Moment(error.at, "failed", error.attempt, short(f"{error.type}: {error.message}"))
    if job.started_at is not None:
        yield Moment(job.started_at, "started", job.attempt)
    if job.due_at is not None:
        yield Moment(job.due_at, "due", job.attempt + 1)
    if job.finished_at is not None and job.state in ("completed", "dead", "cancelled"):
        yield Moment(job.finished_at, job.state, job.attempt or None)
