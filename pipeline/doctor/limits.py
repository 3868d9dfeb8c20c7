"""Whether there is room: for connections, files, payloads, and on the disk; and how far the server is away."""

from __future__ import annotations

import resource
import shutil
import statistics
import time
from pathlib import Path

from pipeline.doctor.check import Check, failed, ok, size, unverified, weak
from pipeline.doctor.facts import Facts
from pipeline.plan import Plan
from pipeline.store.wire import Connection

PINGS = 20
SLOW_MS, SKEW_MS = 20.0, 1_000
SPARE_CONNECTIONS, SPARE_FILES, FILES_OF_A_WORKER = 16, 64, 8
OVERHEAD = 4_096
SPARE_DISK = 256 * 2**20


async def nearness(connection: Connection) -> tuple[Check, Check]:
    """The way there and back, and the server's clock beside ours."""
    trips, skews = [], []
    for _ in range(PINGS):
        begun, at = time.perf_counter(), time.time()
        seconds, micros = await connection.call(("TIME",))
        trips.append((time.perf_counter() - begun) * 1000)
        skews.append((int(seconds) * 1000 + int(micros) / 1000) - at * 1000 - trips[-1] / 2)
    nearest = skews[trips.index(min(trips))]
    return round_trip(statistics.median(trips)), clock(nearest)


def round_trip(ms: float) -> Check:
    found = f"{ms:.2f} ms there and back, the median of {PINGS}"
    if ms <= SLOW_MS:
        return ok("round-trip", found)
    return weak("round-trip", found, "so long does each turn of a worker take", "run it nearer to the broker")


def clock(ms: float) -> Check:
    """`ms`: by how much the server's clock is ahead of ours."""
    found = f"the broker's clock is {abs(ms) / 1000:.2f} s {'ahead of' if ms > 0 else 'behind'} ours"
    if abs(ms) <= SKEW_MS:
        return ok("clock", found)
    meaning = "delays and times of jobs go by the broker's clock, logs by ours"
    return weak("clock", found, meaning, "let NTP set both: see timedatectl")


def connections(facts: Facts, plan: Plan) -> Check:
    most, now = facts.number("maxclients", "maxclients"), facts.number("", "connected_clients")
    if most is None or now is None:
        return unverified("connections", "the broker hides how many connections it takes")
    needed = sum(2 * len(pool.queues) * pool.processes for pool in plan.pools.values()) + SPARE_CONNECTIONS
    found = f"{now:,} of {most:,} connections; a supervisor here needs {needed:,}"
    if now + needed <= most:
        return ok("connections", found)
    return weak(
        "connections",
        found,
        "workers will not get in",
        "raise maxclients on the broker, or run fewer processes",
    )


def files(plan: Plan) -> Check:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    workers = sum(pool.processes for pool in plan.pools.values())
    needed = workers * FILES_OF_A_WORKER + SPARE_FILES
    found = f"{limit:,} open files allowed; a supervisor here needs {needed:,}"
    if limit >= needed:
        return ok("open-files", found)
    return weak(
        "open-files", found, "workers will not start", f"ulimit -n {2 * needed}, or LimitNOFILE= of the unit"
    )


def payloads(facts: Facts, plan: Plan) -> Check:
    largest = max(policy.max_payload for policy in plan.queues.values()) + OVERHEAD
    limits = {name: facts.number(name) for name in ("proto-max-bulk-len", "client-query-buffer-limit")}
    found = f"payloads up to {size(largest - OVERHEAD)}"
    if None in limits.values():
        return unverified("payloads", f"{found}; the broker hides what it takes")
    small = {name: limit for name, limit in limits.items() if limit is not None and limit < largest}
    if not small:
        return ok(
            "payloads", f"{found}; the broker takes {size(min(map(int, filter(None, limits.values()))))}"
        )
    name, limit = next(iter(small.items()))
    meaning = f"with what goes around one, more than the broker takes ({name} {size(limit)}): it hangs up"
    return failed("payloads", found, meaning, f"raise {name} on the broker, or lower max_payload in the file")


def disk(facts: Facts, plan: Plan) -> Check | None:
    """Room for an embedded broker's file, which is written anew beside the old one."""
    if plan.broker.url != "embedded":
        return None
    folder = Path(plan.root) / ".pipeline"
    free = shutil.disk_usage(folder if folder.exists() else plan.root).free
    needed = 2 * (facts.number("", "aof_current_size") or 0) + SPARE_DISK
    found = f"{size(free)} free for the embedded broker"
    if free >= needed:
        return ok("disk", found)
    meaning = f"it may need {size(needed)}; when the disk is full no job is accepted"
    return weak(
        "disk", found, meaning, f"make room where {plan.root} lies, or keep fewer ended jobs (retention)"
    )


async def look(connection: Connection, facts: Facts, plan: Plan) -> list[Check]:
    """All of them."""
    found = [*await nearness(connection), connections(facts, plan), files(plan), payloads(facts, plan)]
    own = disk(facts, plan)
    return found if own is None else [*found, own]
