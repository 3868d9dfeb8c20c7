"""How a server is, whatever is wanted of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pipeline.doctor.check import Check, failed, ok, size, unverified, weak
from pipeline.doctor.facts import Facts

OLDEST = {"redis": (7, 0), "valkey": (7, 2)}
NEARLY_FULL = 0.8


def look(facts: Facts) -> Iterator[Check]:
    """What there is to say."""
    for rule in RULES:
        if (check := rule(facts)) is not None:
            yield check


def _version(facts: Facts) -> Check:
    if facts.version is None:
        return unverified("version", "the broker hides its version")
    found = f"{facts.kind} {facts.version}"
    numbers = re.match(r"(\d+)\.(\d+)", facts.version)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST[facts.kind]:
        return ok("version", found)
    oldest = ".".join(map(str, OLDEST[facts.kind]))
    return failed(
        "version",
        found,
        f"{facts.kind} {oldest} or newer is needed",
        "upgrade it, or use broker.url: embedded",
    )


def _role(facts: Facts) -> Check | None:
    if facts.info.get("role") != "slave":
        return None
    return failed("role", "the broker is a replica", "it takes no jobs", "let broker.url lead to the primary")


def _writes(facts: Facts) -> Check | None:
    failing = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if facts.info.get(name, "ok") != "ok"
    ]
    if not facts.info:
        return None
    if not failing:
        held_up = facts.number("", "aof_delayed_fsync")
        slow = f"; {held_up:,} times its disk was too slow for a sync each second" if held_up else ""
        return ok("writes", f"its last writes to disk went well{slow}")
    found = f"{failing[0]} {facts.info[failing[0]]}"
    help = "is its disk full, or its folder not writable? see its log"
    if failing[0] == "aof_last_write_status":
        return failed("writes", found, "the broker cannot write its file, and refuses jobs", help)
    return weak(
        "writes", found, "the broker cannot write its file anew: it grows, or no snapshot is made", help
    )


def _memory(facts: Facts) -> Check | None:
    used, most = facts.number("", "used_memory"), facts.number("maxmemory", "maxmemory")
    if used is None:
        return unverified("memory", "the broker hides how much memory it uses")
    if not most:
        return ok("memory", f"{size(used)} used, no maxmemory")
    found = f"{size(used)} of {size(most)} used"
    if used < NEARLY_FULL * most:
        return ok("memory", found)
    help = "raise maxmemory, keep fewer ended jobs (retention), or work the queues off"
    return weak("memory", found, "when it is full no job is accepted", help)


RULES: tuple[Callable[[Facts], Check | None], ...] = (_version, _role, _memory, _writes)
