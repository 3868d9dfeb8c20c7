"""A whole queue: what holds for it, and what a person changes in it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from pipeline.crew import crew, pool_of
from pipeline.plan import Plan
from pipeline.policy import MAX_PROCESSES, JobPolicy, QueuePolicy, Rate, Retention
from pipeline.status.queues import Override
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run
from pipeline.store.lanes import Lane, fullest
from pipeline.store.operator import Operator
from pipeline.web.api.common import BASE, by, queue_of
from pipeline.web.api.overview import QueueLine, queue_line
from pipeline.web.inputs import body, duration, number
from pipeline.web.moves import holding
from pipeline.web.request import Request
from pipeline.web.response import Refused, Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

MOST_LANES = 1_000


class RateShown(Struct, frozen=True):
    """So many starts in any so many ms."""

    max: int
    per_ms: int


class LanesShown(Struct, frozen=True):
    """What holds for each key apart."""

    key: str
    max_active: int | None
    strict: bool
    fair: bool


class RetentionShown(Struct, frozen=True):
    """How many ended jobs are kept, and for how long."""

    count: int | None
    age_ms: int | None


class Kept(Struct, frozen=True):
    """What is kept of ended jobs."""

    completed: RetentionShown
    dead: RetentionShown


class Letters(Struct, frozen=True):
    """What a death brings about."""

    queue: str | None
    alert: str | None


class BatchShown(Struct, frozen=True):
    """A handler gets so many jobs at once."""

    size: int
    wait_ms: int


class Settings(Struct, frozen=True, kw_only=True):
    """What the file says of a queue."""

    concurrency: int
    processes: int
    pool: str | None
    max_active: int | None
    rate_limit: RateShown | None
    max_payload: int
    executor: str
    batch: BatchShown | None
    redact: list[str]
    lanes: LanesShown | None
    retention: Kept
    dead_letter: Letters


class DeduplicationShown(Struct, frozen=True):
    """When an enqueue is a duplicate."""

    key: str
    mode: str
    ttl_ms: int | None


class JobKind(Struct, frozen=True, kw_only=True):
    """A job name of the file."""

    name: str
    handler: str | None
    attempts: int
    timeout_ms: int | None
    soft_timeout_ms: int | None
    priority: int
    deduplication: DeduplicationShown | None
    schema: dict[str, Any] | None


class QueuePage(Struct, frozen=True, kw_only=True):
    """A queue: its figures, and what the file says of it."""

    queue: QueueLine
    settings: Settings | None
    jobs: list[JobKind]
    other_names: bool
    schedules: list[str]


class For(Struct, frozen=True, rename={"last": "for"}):
    """For how long: 1h. Without, until somebody takes it back."""

    last: str | None = None


class ScaleTo(Struct, frozen=True, rename={"last": "for"}):
    """So many processes on each host, for so long."""

    processes: int
    last: str | None = None


class Paused(Struct, frozen=True, kw_only=True):
    """Whether the queue stands still, whether that is new, and until when."""

    queue: str
    paused: bool
    changed: bool
    until_at: int | None = None


class Scaled(Struct, frozen=True, kw_only=True):
    """How many processes serve the queues of a pool, and what the file says."""

    queue: str
    pool: str | None
    queues: list[str]
    processes: int
    was: int | None
    until_at: int | None


class Reset(Struct, frozen=True):
    """What people had changed."""

    queue: str
    removed: list[Override]


class LanesQuery(Struct, frozen=True):
    """How many."""

    limit: int = 20


class LaneList(Struct, frozen=True):
    """The lanes that most jobs wait in."""

    queue: str
    lanes: list[Lane]


async def show(shop: Shop, request: Request) -> Response:
    """A queue with its figures and settings."""
    queue = await queue_of(shop, request)
    picture = await shop.desk.look.newest()
    plan, policy = shop.plan, shop.plan.queues.get(queue)
    answer = QueuePage(
        queue=queue_line(picture, queue),
        settings=None if policy is None else _settings(plan, policy),
        jobs=[] if policy is None else [_kind(name, job) for name, job in policy.jobs.items()],
        other_names=policy is not None and policy.others is not None,
        schedules=[name for name, one in plan.schedules.items() if one.queue == queue],
    )
    return as_json(answer)


async def pause(shop: Shop, request: Request) -> Response:
    """Stop a queue for everyone."""
    queue = await queue_of(shop, request)
    last = _span(body(request, For).last)

    def work(hands: Operator) -> Paused:
        until = None if last is None else hands.time() + last
        return Paused(queue=queue, paused=True, changed=hands.pause(by(request), until), until_at=until)

    return as_json(await _with_hands(shop, queue, work))


async def resume(shop: Shop, request: Request) -> Response:
    """Let a paused queue go on."""
    queue = await queue_of(shop, request)
    return as_json(
        await _with_hands(
            shop, queue, lambda hands: Paused(queue=queue, paused=False, changed=hands.resume())
        )
    )


async def scale(shop: Shop, request: Request) -> Response:
    """Serve a queue with so many processes, whatever the file says."""
    queue = await queue_of(shop, request)
    wanted = body(request, ScaleTo)
    if not 1 <= wanted.processes <= MAX_PROCESSES:
        raise Refused(422, "invalid", f"processes are 1 to {MAX_PROCESSES:,}", "none at all is a pause")
    last, plan = _span(wanted.last), shop.plan

    def work(connection: BlockingConnection) -> Scaled:
        found = crew(connection, plan, queue)
        until = None if last is None else found.hands.time() + last
        found.scale(wanted.processes, by(request), until)
        return Scaled(
            queue=queue,
            pool=found.pool,
            queues=found.names,
            processes=wanted.processes,
            was=found.processes,
            until_at=until,
        )

    return as_json(await shop.desk.hands.run(work))


async def reset(shop: Shop, request: Request) -> Response:
    """Take back what people changed by hand."""
    queue = await queue_of(shop, request)
    plan = shop.plan
    removed = await shop.desk.hands.run(lambda connection: crew(connection, plan, queue).reset())
    return as_json(Reset(queue, removed))


async def lanes(shop: Shop, request: Request) -> Response:
    """The fullest lanes, and what holds each."""
    queue = await queue_of(shop, request)
    limit = number(request, "limit", 20, 1, MOST_LANES)
    found = await run(shop.connection, fullest(shop.project, queue, limit))
    return as_json(LaneList(queue, found))


async def _with_hands(shop: Shop, queue: str, work: Any) -> Any:
    hold = holding(shop.plan, queue)
    return await shop.desk.hands.run(lambda connection: work(hold(connection)))


def _span(text: str | None) -> int | None:
    """How long something lasts, in ms. Raises Refused (422)."""
    last = duration("for", text)
    if last == 0:
        raise Refused(422, "invalid", "for must be longer than 0")
    return last


def _settings(plan: Plan, policy: QueuePolicy) -> Settings:
    lanes, batch, rate = policy.lanes, policy.batch, policy.rate_limit
    processes = next((pool.processes for pool in plan.pools.values() if policy.name in pool.queues), 0)
    return Settings(
        concurrency=policy.concurrency,
        processes=processes,
        pool=pool_of(plan, policy.name),
        max_active=policy.max_active,
        rate_limit=None if rate is None else _rate(rate),
        max_payload=policy.max_payload,
        executor=policy.executor,
        batch=None if batch is None else BatchShown(batch.size, batch.wait),
        redact=list(policy.redact),
        lanes=None if lanes is None else LanesShown(lanes.key, lanes.max_active, lanes.strict, lanes.fair),
        retention=Kept(_kept(policy.completed), _kept(policy.dead)),
        dead_letter=Letters(policy.dead_letter.queue, policy.dead_letter.alert),
    )


def _rate(rate: Rate) -> RateShown:
    return RateShown(rate.max, rate.per)


def _kept(kept: Retention) -> RetentionShown:
    return RetentionShown(kept.count, kept.age)


def _kind(name: str, job: JobPolicy) -> JobKind:
    rule = job.deduplication
    return JobKind(
        name=name,
        handler=job.handler,
        attempts=job.retry.attempts,
        timeout_ms=job.timeout.hard,
        soft_timeout_ms=job.timeout.soft,
        priority=job.priority,
        deduplication=None if rule is None else DeduplicationShown(rule.key, rule.mode, rule.ttl),
        schema=job.schema,
    )


_QUEUE = f"{BASE}/queues/{{queue}}"
ROUTES = (
    Route("GET", _QUEUE, "viewer", show, "A queue: its figures, and what holds for it.", answer=QueuePage),
    Route("POST", f"{_QUEUE}/pause", "operator", pause, "Stop a queue for everyone.", body=For, answer=Paused),
    Route("POST", f"{_QUEUE}/resume", "operator", resume, "Let a paused queue go on.", answer=Paused),
    Route("POST", f"{_QUEUE}/scale", "admin", scale, "Serve a queue with so many processes.", body=ScaleTo, answer=Scaled),
    Route("POST", f"{_QUEUE}/reset", "admin", reset, "Take back what people changed by hand.", answer=Reset),
    Route("GET", f"{_QUEUE}/lanes", "viewer", lanes, "The fullest lanes.", query=LanesQuery, answer=LaneList),
)  # fmt: skip
