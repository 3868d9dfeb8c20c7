"""From a producer's call to what is sent: every check and default, before anything leaves the process."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.config.suggest import did_you_mean
from pipeline.errors import InvalidOption, InvalidPayload, PayloadTooLarge, UnknownJob
from pipeline.job import NO_OPTIONS, Options, encode, encode_record, has_nan
from pipeline.policy import (
    ID_PATTERN,
    MAX_PRIORITY,
    Backoff,
    Deduplication,
    JobPolicy,
    QueuePolicy,
    Timeout,
)
from pipeline.store.call import Call
from pipeline.store.store import Accepted, Mark, NewJob, Store
from pipeline.template import render
from pipeline.units import milliseconds

ID = re.compile(ID_PATTERN)
CHUNK = 1000
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between the tries of a call while the broker is away."""

DEBOUNCE_SLACK = 60_000

Duration = str | timedelta


class Wanted(NamedTuple):
    """One job as the caller gave it."""

    name: str
    data: Any
    id: str | None = None
    delay: Duration | None = None
    at: datetime | None = None
    priority: int | None = None
    attempts: int | None = None
    backoff: Backoff | None = None
    timeout: Duration | None = None
    expires: Duration | None = None
    front: bool = False
    deduplication: Deduplication | None = None
    flow: str = ""
    """The flow whose step it is."""
    keep: int | None = None
    """How long its id stays taken after its end, in ms, if not as long as its queue says."""
    trace: dict[str, str] | None = None
    """The context that goes with it; see telemetry/send.py."""


class Plain(Struct, frozen=True):
    """Jobs that are alike: one level, ids of ours, due now."""

    level: int
    records: list[bytes]

    def call(self, store: Store, producer: str, number: int, generation: str) -> Call[list[Accepted]]:
        command, read = store.enqueue(producer, number, generation, self.level, self.records)
        count = len(self.records)

        def accepted(reply: Any) -> list[Accepted]:
            first = read(reply)
            return [Accepted(str(first + i), "created") for i in range(count)]

        return Call(command, accepted)


class Each(Struct, frozen=True):
    """Jobs that have something of their own."""

    jobs: list[NewJob]

    def call(self, store: Store, producer: str, number: int, generation: str) -> Call[list[Accepted]]:
        return store.enqueue_each(producer, number, generation, self.jobs)


class Marked(Struct, frozen=True):
    """Jobs that are known by their content, too; see receive.lua."""

    jobs: list[NewJob]
    marks: list[Mark]

    def call(self, store: Store, producer: str, number: int, generation: str) -> Call[list[Accepted]]:  # noqa: ARG002
        return store.receive(generation, self.jobs, self.marks)


Batch = Plain | Each | Marked


def record(queue: QueuePolicy, at: int, name: str, data: Any) -> tuple[int, bytes] | None:
    """The level and record of a job that has nothing of its own; None when it takes a closer look."""
    policy = queue.jobs.get(name, queue.others)
    if policy is None or policy.schema is not None or policy.deduplication is not None or policy.priority:
        return None
    if policy.expires is not None or queue.lanes is not None:
        return None
    try:
        written = encode((at, name, data))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    # NaN is written as null: where there is a null, somebody has to look.
    return None if len(written) > queue.max_payload or b"null" in written else (0, written)


def plain_batches(queue: QueuePolicy, at: int, jobs: Sequence[Sequence[Any]]) -> list[Batch] | None:
    """Batches of (name, data) pairs that have nothing of their own; None when one takes a closer look."""
    records = []
    for job in jobs:
        plain = record(queue, at, *job) if len(job) == 2 else None
        if plain is None:
            return None
        records.append(plain[1])
    return [Plain(0, records[i : i + CHUNK]) for i in range(0, len(records), CHUNK)]


def batches(queue: QueuePolicy, at: int, wanted: Sequence[Wanted]) -> list[Batch]:
    """All jobs checked, in batches of 1,000 at most. `at` is the server's time.

    Raises EnqueueError for the first that cannot be taken.
    """
    jobs = [new_job(queue, at, job) for job in wanted]
    return [batch_of(jobs[i : i + CHUNK]) for i in range(0, len(jobs), CHUNK)]


def batch_of(jobs: list[NewJob]) -> Batch:
    """The batch that these jobs (1 to 1,000) travel in."""
    level = jobs[0].level
    if all(not (job.id or job.due or job.key or job.lane) and job.level == level for job in jobs):
        return Plain(level, [job.record for job in jobs])
    return Each(jobs)


def new_job(queue: QueuePolicy, at: int, job: Wanted) -> NewJob:
    """One job, checked, with the defaults of its policy. Raises EnqueueError."""
    policy = _policy(queue, job.name)
    if policy.schema is not None:
        check_schema(queue.name, job.name, policy.schema, job.data)
    key, rule = _deduplication(queue, policy, job)
    priority = policy.priority if job.priority is None else checked_priority(job.priority)
    debounced = rule is not None and rule.mode == "debounce"
    due = _debounced(job, rule) if debounced and rule else due_of(job)
    until_done = key if rule is not None and rule.mode in ("until_done", "keep_last") else ""
    options = _options(job, priority, until_done, _expires(policy, job, due, at))
    written = checked_record(queue, at, job.name, job.data, options)
    lane = key if _mode(rule) == "keep_last" else _lane(queue, job)
    return NewJob(_id(job.id), priority, due, key, _window(rule), _mode(rule), lane, written)


def _mode(rule: Deduplication | None) -> Literal["", "debounce", "keep_last"]:
    return rule.mode if rule is not None and rule.mode in ("debounce", "keep_last") else ""


def _lane(queue: QueuePolicy, job: Wanted) -> str:
    if queue.lanes is None:
        return ""
    try:
        return render(queue.lanes.key, Roots(queue.name, job)) or ""
    except LookupError as error:
        raise InvalidPayload(f"no lane for {job.name!r}: {error.args[0]}") from None


def flow_records(
    queue: QueuePolicy, at: int, name: str, flow: str, payloads: Sequence[Any]
) -> tuple[int, list[bytes], list[str]]:
    """The level, the records and, in a queue with lanes, the lanes of jobs of one step of a flow, checked. Raises EnqueueError."""
    policy = _policy(queue, name)
    job = Wanted(name, None, flow=flow)
    options = _options(job, policy.priority, "", _expires(policy, job, "", at))
    if policy.schema is not None:
        for data in payloads:
            check_schema(queue.name, name, policy.schema, data)
    lanes = [_lane(queue, Wanted(name, data)) for data in payloads] if queue.lanes is not None else []
    return policy.priority, [checked_record(queue, at, name, data, options) for data in payloads], lanes


def _policy(queue: QueuePolicy, name: str) -> JobPolicy:
    policy = queue.job(name)
    if policy is None:
        known = ", ".join(sorted(queue.jobs))
        near = did_you_mean(name, queue.jobs)
        raise UnknownJob(f"queue {queue.name!r} has no job {name!r}", near or f"it has {known}")
    return policy


def checked_record(queue: QueuePolicy, at: int, name: str, data: Any, options: Options) -> bytes:
    """The record of a job. Raises InvalidPayload or PayloadTooLarge."""
    try:
        written = encode_record(at, name, data, options)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidPayload(f"the payload of {name!r} is not JSON: {error}") from None
    if b"null" in written and has_nan(data):
        raise InvalidPayload(f"the payload of {name!r} is not JSON: it holds NaN or Infinity")
    if len(written) > queue.max_payload:
        size = len(encode(data))
        if size > queue.max_payload:
            raise PayloadTooLarge(
                f"the payload of {name!r} has {size:,} bytes, more than the {queue.max_payload:,}"
                f" that queue {queue.name!r} takes",
                "store it elsewhere and send a reference, or raise max_payload",
            )
    return written


def _options(job: Wanted, priority: int, key: str, expires: int | None) -> Options:
    own = (job.attempts, job.backoff, job.timeout, job.keep, job.trace)
    if not (priority or key or expires or job.flow) and own == (None,) * 5:
        return NO_OPTIONS
    if job.attempts is not None and (type(job.attempts) is not int or job.attempts < 1):
        raise InvalidOption(
            f"attempts {job.attempts!r} is no count: give 1 or more, the first run counts too"
        )
    if job.backoff is not None:
        _check_backoff(job.backoff)
    timeout = Timeout(hard=_milliseconds("timeout", job.timeout)) if job.timeout is not None else None
    return Options(
        priority,
        job.attempts,
        job.backoff,
        timeout,
        key,
        expires,
        flow=job.flow,
        keep=job.keep,
        trace=job.trace,
    )


def _check_backoff(backoff: Backoff) -> None:
    if not isinstance(backoff, Backoff):
        raise InvalidOption(f"backoff {backoff!r} is no Backoff", "use pipeline.policy.Backoff")
    try:
        msgspec.convert(msgspec.to_builtins(backoff), Backoff)
    except msgspec.ValidationError as error:
        raise InvalidOption(f"backoff: {error}") from None
    if backoff.type == "list" and not backoff.delays:
        raise InvalidOption("backoff: a list needs delays, in ms")
    if min([backoff.delay, *backoff.delays, backoff.max or 0]) < 0 or not 0 <= backoff.jitter <= 1:
        raise InvalidOption("backoff: delays are ms from 0 on, jitter is a share from 0 to 1")


def _id(id: str | None) -> str:
    if id is None:
        return ""
    if not isinstance(id, str) or not ID.fullmatch(id) or id.isdigit():
        raise InvalidOption(
            f"{id!r} cannot be a job's id", "1 to 128 of A-Z a-z 0-9 _ . : @ -, and not digits alone"
        )
    return id


def checked_priority(priority: int) -> int:
    """The priority. Raises InvalidOption when it is none."""
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > MAX_PRIORITY:
        raise InvalidOption(
            f"priority {priority!r} is not an integer from -{MAX_PRIORITY:,} to {MAX_PRIORITY:,}"
        )
    return priority


def due_of(job: Wanted) -> str:
    """When a job is to run, as enqueue_each.lua takes it. Raises InvalidOption."""
    if job.delay is not None and job.at is not None:
        raise InvalidOption("a job has a delay or a time, not both")
    if job.front and (job.delay is not None or job.at is not None):
        raise InvalidOption("a job goes to the front now, or has a delay or a time")
    if job.at is not None:
        if job.at.tzinfo is None:
            raise InvalidOption(f"{job.at} has no time zone", "use datetime.now(UTC) or a zoneinfo")
        return str(max(int((job.at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)), 0))
    if job.delay is None:
        return "front" if job.front else ""
    return f"+{_milliseconds('delay', job.delay)}"


def _debounced(job: Wanted, rule: Deduplication) -> str:
    """Under debounce every job is delayed by `ttl`."""
    if job.delay is not None or job.at is not None or job.front:
        raise InvalidOption(
            f"{job.name!r} is debounced: its deduplication says when it runs", "leave delay, at and front out"
        )
    return f"+{rule.ttl or 1}"


def _expires(policy: JobPolicy, job: Wanted, due: str, at: int) -> int | None:
    """When a job that has not begun is cancelled, in ms since 1970: it counts from when the job may begin."""
    span = policy.expires if job.expires is None else _milliseconds("expires", job.expires)
    if span is None:
        return None
    return span + (at if due in ("", "front") else at + int(due[1:]) if due[0] == "+" else max(at, int(due)))


def _milliseconds(option: str, duration: Duration) -> int:
    try:
        return milliseconds(duration)
    except ValueError as error:
        raise InvalidOption(f"{option}: {error}") from None


def _deduplication(queue: QueuePolicy, policy: JobPolicy, job: Wanted) -> tuple[str, Deduplication | None]:
    """The job's deduplication key and the rule that it follows; neither when it has no key."""
    rule = job.deduplication or policy.deduplication
    if rule is None:
        return "", None
    if job.deduplication is not None:
        return _own_key(job.deduplication), rule
    try:
        key = render(rule.key, Roots(queue.name, job))
    except LookupError as error:
        reason = error.args[0]
        raise InvalidPayload(f"no deduplication key for {job.name!r}: {reason}") from None
    # A refund is no duplicate of the capture of the same charge.
    return (f"{job.name}:{key}", rule) if key is not None else ("", None)


class Roots(dict[str, Any]):
    """What a template may name. The payload is only hashed when it is asked for."""

    def __init__(self, queue: str, job: Wanted) -> None:
        super().__init__(data=job.data, name=job.name, queue=queue)

    def __missing__(self, root: str) -> str:
        if root != "hash":
            raise LookupError(root)
        try:
            written = msgspec.json.encode(self["data"], order="deterministic")
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise LookupError(f"the payload is not JSON: {error}") from None
        return hashlib.sha256(written).hexdigest()[:32]


def _own_key(rule: Deduplication) -> str:
    """The key that a call brings, as it stands. Raises InvalidOption."""
    if not isinstance(rule, Deduplication) or not isinstance(rule.key, str) or not rule.key:
        raise InvalidOption("deduplication needs a key", 'for instance Deduplication("order-17")')
    if rule.mode == "keep_last":
        raise InvalidOption("keep_last is said in the file, for all jobs of a name")
    if rule.mode not in ("until_done", "throttle", "debounce"):
        raise InvalidOption(f"deduplication has no mode {rule.mode!r}", "until_done, throttle or debounce")
    if rule.mode != "until_done" and (type(rule.ttl) is not int or rule.ttl < 1):
        raise InvalidOption(f"{rule.mode} needs a ttl, in ms", "for instance ttl=60_000")
    return rule.key


def _window(rule: Deduplication | None) -> int | str:
    """How many ms the key is taken: '' is until the job is done."""
    match rule.mode if rule is not None else "":
        case "throttle":
            # 1 ms is the least that the broker can keep.
            return max((rule and rule.ttl) or 1, 1)
        case "debounce":
            # It counts while the job is delayed, which may take a little longer than its time.
            return ((rule and rule.ttl) or 1) + DEBOUNCE_SLACK
    return ""


def check_schema(queue: str, name: str, schema: dict[str, Any], data: Any) -> None:
    """Raises InvalidPayload unless `data` fits the schema of its job."""
    problem = _checker(encode(schema))(data)
    if problem is not None:
        raise InvalidPayload(f"the payload of {queue} {name!r} does not fit its schema: {problem}")


@cache
def _checker(schema: bytes) -> Callable[[Any], str | None]:
    from pipeline.config.schema import payload_checker

    return payload_checker(msgspec.json.decode(schema))
