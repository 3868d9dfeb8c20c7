"""One frozen picture of a project: what runs, and what every queue holds. The terminal and the JSON only draw it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pipeline.errors import BrokerRefused
from pipeline.plan import BrokerPlan, Plan
from pipeline.store import reader
from pipeline.store.reader import Counts, Reader
from pipeline.store.store import run
from pipeline.store.wire import Connection
from pipeline.units import words

Buckets = Mapping[int, int]


class BrokerState(Struct, frozen=True):
    """The broker. `ok`: it loses no jobs by its settings, as far as it shows them; `reason` says why not."""

    kind: str
    version: str | None = None
    durability: str | None = None
    used_memory: int | None = None
    ok: bool = False
    reason: str | None = None


class PoolState(Struct, frozen=True):
    """The workers of one queue under one supervisor."""

    queue: str
    state: Literal["starting", "running", "backoff", "fatal", "stopping"]
    processes: int
    reason: str | None = None


class WorkerState(Struct, frozen=True):
    """A worker process: the jobs it runs, its memory in bytes."""

    name: str
    pid: int
    running: int
    memory: int | None = None
    code: str | None = None


class SupervisorState(Struct, frozen=True):
    """A supervisor, as it last said of itself. `stale`: it has not said so since `until`."""

    host: str
    pid: int
    generation: int
    hash: str
    state: Literal["ready", "stale", "behind", "stopping"]
    reason: str | None
    started_at: int
    pools: list[PoolState] = []
    workers: list[WorkerState] = []
    until: int = 0
    profile: str | None = None
    held: bool = False
    reloads_total: int = 0
    failed_reloads_total: int = 0
    reloaded_at: int | None = None


class QueueState(Struct, frozen=True, kw_only=True):
    """A queue: jobs kept now, and totals that only rise. `run_ms` and `wait_ms` are [p50, p99] since ever."""

    waiting: int
    delayed: int
    active: int
    blocked: int
    completed: int
    dead: int
    cancelled: int
    paused: bool
    workers: int
    oldest_waiting_ms: int | None
    enqueued_total: int
    completed_total: int
    dead_total: int
    cancelled_total: int
    redriven_total: int
    purged_total: int
    failed_attempts_total: int
    lost_leases_total: int
    duplicates_total: int
    reruns_total: int
    paused_by: str | None
    in_file: bool
    run_ms: tuple[float, float] | None
    wait_ms: tuple[float, float] | None


class Snapshot(Struct, frozen=True):
    """The picture at `at` (ms since 1970, the server's clock).

    `in_sync`: every live supervisor runs the file as it is now; None when there is none. `run` and `wait` hold
    each queue's histogram: bucket i counts what took less than 2**i tenths of a ms, and no less than half.
    """

    name: str
    generation: int | None
    in_sync: bool | None
    broker: BrokerState
    supervisors: list[SupervisorState]
    queues: dict[str, QueueState]
    at: int = 0
    run: dict[str, dict[int, int]] = {}
    wait: dict[str, dict[int, int]] = {}

    def as_json(self) -> dict[str, Any]:
        """What `status --json` prints."""
        told = msgspec.to_builtins(self)
        for internal in ("at", "run", "wait"):
            del told[internal]
        for supervisor in told["supervisors"]:
            del supervisor["until"]
        return dict(told)

    @property
    def live(self) -> list[SupervisorState]:
        """The supervisors that run."""
        return [one for one in self.supervisors if one.state != "stale"]


def nothing_runs(plan: Plan) -> Snapshot:
    """The picture of a project whose embedded broker does not run: what it keeps cannot be seen."""
    broker = BrokerState("embedded", reason="the embedded broker does not run")
    return Snapshot(plan.name, None, None, broker, [], {})


async def take(connection: Connection, plan: Plan) -> Snapshot:
    """Ask for everything, in two round trips. Raises BrokerError."""
    names, generation, records, time, broker = await asyncio.gather(
        run(connection, reader.queue_names(plan.name)),
        run(connection, reader.generation(plan.name)),
        run(connection, reader.supervisors(plan.name)),
        run(connection, reader.server_time()),
        look_at_broker(connection, plan.broker),
    )
    queues = [*plan.queues, *(name for name in names if name not in plan.queues)]
    counts = await asyncio.gather(*(run(connection, Reader(plan.name, name).counts()) for name in queues))
    found = dict(zip(queues, counts, strict=True))
    supervisors = _supervisors(records, time)
    hashes = {one.hash for one in supervisors if one.state != "stale"}
    return Snapshot(
        plan.name,
        generation or None,
        hashes == {plan.hash} if hashes else None,
        broker,
        supervisors,
        {name: _queue(one, in_file=name in plan.queues) for name, one in found.items()},
        time,
        {name: _buckets(one.stats, "run:") for name, one in found.items()},
        {name: _buckets(one.stats, "wait:") for name, one in found.items()},
    )


async def look_at_broker(connection: Connection, wanted: BrokerPlan) -> BrokerState:
    """What the broker says of itself."""
    text, durability = await asyncio.gather(
        connection.call(("INFO", "server", "memory")), _durability(connection)
    )
    info = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
    server = "valkey" if "valkey_version" in info else "redis"
    eviction = info.get("maxmemory_policy", "noeviction")
    reason = None
    if eviction != "noeviction":
        reason = f"it evicts keys when its memory is full ({eviction}): jobs can be lost"
    elif durability not in (wanted.durability, "fsync", "unverified"):
        reason = f"durability is {wanted.durability} in the file, but {durability} on the broker"
    return BrokerState(
        "embedded" if wanted.url == "embedded" else server,
        info.get(f"{server}_version"),
        durability,
        int(info.get("used_memory", 0)) or None,
        reason is None,
        reason,
    )


async def _durability(connection: Connection) -> str:
    try:
        reply = await connection.call(("CONFIG", "GET", "appendonly", "appendfsync"))
    except BrokerRefused:
        return "unverified"  # hosted brokers and strict ACLs hide CONFIG
    settings = dict(zip(reply[::2], reply[1::2], strict=True))
    if settings.get(b"appendonly") != b"yes":
        return "none"
    return {b"always": "fsync", b"everysec": "everysec"}.get(settings.get(b"appendfsync", b""), "none")


def _supervisors(records: Mapping[str, Mapping[str, Any]], time: int) -> list[SupervisorState]:
    found = []
    for record in records.values():
        # Another version of this program may have written it.
        with contextlib.suppress(msgspec.ValidationError):
            one = msgspec.convert(record, SupervisorState)
            if one.until < time:
                reason = f"no sign of life for {words((time - one.until) // 1000 * 1000 or 1000)}"
                one = msgspec.structs.replace(one, state="stale", reason=reason)
            found.append(one)
    return sorted(found, key=lambda one: (one.started_at, one.host, one.pid))


def _queue(counts: Counts, *, in_file: bool) -> QueueState:
    total = counts.stats.get
    return QueueState(
        waiting=counts.waiting,
        delayed=counts.delayed,
        active=counts.active,
        blocked=0,
        completed=counts.completed,
        dead=counts.dead,
        cancelled=counts.cancelled,
        paused=counts.paused is not None,
        workers=counts.workers,
        oldest_waiting_ms=None if counts.oldest_at is None else max(counts.time - counts.oldest_at, 0),
        enqueued_total=counts.enqueued,
        completed_total=total("completed", 0),
        dead_total=total("dead", 0),
        cancelled_total=total("cancelled", 0),
        redriven_total=total("redriven", 0),
        purged_total=total("purged", 0),
        failed_attempts_total=total("failed", 0),
        lost_leases_total=total("lost_leases", 0),
        duplicates_total=total("duplicates", 0),
        reruns_total=total("reruns", 0),
        paused_by=_paused_by(counts.paused),
        in_file=in_file,
        run_ms=percentiles(_buckets(counts.stats, "run:")),
        wait_ms=percentiles(_buckets(counts.stats, "wait:")),
    )


def _paused_by(paused: str | None) -> str | None:
    if paused is None:
        return None
    with contextlib.suppress(msgspec.DecodeError, AttributeError):
        return str(msgspec.json.decode(paused).get("by"))
    return paused


def _buckets(stats: Mapping[str, int], prefix: str) -> dict[int, int]:
    return {int(name[len(prefix) :]): value for name, value in stats.items() if name.startswith(prefix)}


def percentiles(buckets: Buckets) -> tuple[float, float] | None:
    """The [p50, p99] in ms that a histogram stands for; None when it is empty."""
    if not any(buckets.values()):
        return None
    return quantile(buckets, 0.5), quantile(buckets, 0.99)


def quantile(buckets: Buckets, share: float) -> float:
    """The ms below which that share of a histogram lies, as if each bucket were filled evenly."""
    left = share * sum(buckets.values())
    end = 0.0
    for bucket in sorted(buckets):
        end, start = 2.0**bucket / 10, 2.0 ** (bucket - 1) / 10 if bucket else 0.0
        count = buckets[bucket]
        if count and left <= count:
            return round(start + (end - start) * left / count, 2)
        left -= count
    return end
