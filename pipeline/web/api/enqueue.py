"""Jobs put in by any program: one, or many, and none twice for one Idempotency-Key."""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import Struct

from pipeline.policy import MAX_PRIORITY
from pipeline.producer import Wanted
from pipeline.store.store import Accepted
from pipeline.web.api.common import BASE, queue_of
from pipeline.web.inputs import duration, fitted, parse, time_of
from pipeline.web.request import Request
from pipeline.web.response import JSON, Refused, Response, as_json
from pipeline.web.route import Route
from pipeline.web.shop import Shop

MOST = 1_000
MOST_BODY = 16 * 1024 * 1024
KEY = re.compile(r"[A-Za-z0-9_.:@-]{1,100}")
PREFIX = "http:"


class NewJob(Struct, frozen=True, kw_only=True):
    """A job to put in. `at` is ms since 1970, or a time with a zone; the others are durations: 30s, 1h."""

    job: str
    data: Any = None
    id: str | None = None
    delay: str | None = None
    at: int | str | None = None
    priority: int | None = None
    attempts: int | None = None
    timeout: str | None = None
    expires: str | None = None
    front: bool = False


class Enqueued(Struct, frozen=True, kw_only=True):
    """The id that stands, and what became of the job."""

    queue: str
    id: str
    status: Literal["created", "duplicate", "replaced"]


async def enqueue(shop: Shop, request: Request) -> Response:
    """Put in one job, or a list of them: all are checked before any is sent."""
    if (request.header("content-type") or "").partition(";")[0].strip().lower() != JSON:
        raise Refused(
            415, "unsupported_media_type", "the body must be JSON", "send Content-Type: application/json"
        )
    given = parse(request.body)
    several = isinstance(given, list)
    jobs = [fitted(one, NewJob) for one in given] if several else [fitted(given, NewJob)]
    if not 1 <= len(jobs) <= MOST:
        raise Refused(
            422, "invalid", f"a list has 1 to {MOST:,} jobs, not {len(jobs):,}", "send several lists"
        )
    key = _key(request)
    queue = await queue_of(shop, request)
    wanted = [_wanted(job, _id(job, key, place if several else None)) for place, job in enumerate(jobs)]
    answers = await shop.client.enqueue_many(queue, wanted)
    told = [_told(queue, accepted) for accepted in answers]
    created = any(one.status == "created" for one in told)
    return as_json(told if several else told[0], 201 if created else 200)


def _key(request: Request) -> str | None:
    key = request.header("idempotency-key")
    if key is not None and not KEY.fullmatch(key):
        raise Refused(422, "invalid", "Idempotency-Key has 1 to 100 of A-Z a-z 0-9 _ . : @ -")
    return key


def _id(job: NewJob, key: str | None, place: int | None) -> str | None:
    if job.id is not None or key is None:
        return job.id
    return f"{PREFIX}{key}" if place is None else f"{PREFIX}{key}:{place}"


def _wanted(job: NewJob, id: str | None) -> Wanted:
    for name in ("delay", "timeout", "expires"):
        duration(name, getattr(job, name))
    if job.priority is not None and abs(job.priority) > MAX_PRIORITY:
        raise Refused(422, "invalid_option", f"priority is -{MAX_PRIORITY:,} to {MAX_PRIORITY:,}")
    return Wanted(
        job.job,
        job.data,
        id=id,
        delay=job.delay,
        at=time_of("at", job.at),
        priority=job.priority,
        attempts=job.attempts,
        timeout=job.timeout,
        expires=job.expires,
        front=job.front,
    )


def _told(queue: str, accepted: Accepted) -> Enqueued:
    return Enqueued(queue=queue, id=accepted.id, status=accepted.status)


def enqueued(queue: str, accepted: Accepted) -> Response:
    """The answer to one job that was put in."""
    return as_json(_told(queue, accepted), 201 if accepted.status == "created" else 200)


ROUTES = (
    Route("POST", f"{BASE}/queues/{{queue}}/jobs", "operator", enqueue, "Put in one job, or a list of them.",
          body=NewJob | list[NewJob], answer=Enqueued | list[Enqueued], most_body=MOST_BODY),
)  # fmt: skip
