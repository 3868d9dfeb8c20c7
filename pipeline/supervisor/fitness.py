"""Whether a broker may be trusted with jobs: looked at once, when a supervisor starts."""

from __future__ import annotations

import re

from msgspec import Struct

from pipeline.errors import BrokerRefused, BrokerUnfit
from pipeline.plan import BrokerPlan
from pipeline.store.wire import Connection

OLDEST = {"redis": (7, 0), "valkey": (7, 2)}
LOSS = {
    ("yes", "always"): "a power cut of the broker's host loses nothing that was answered",
    ("yes", "everysec"): "a power cut of the broker's host can lose the last second; a crash loses nothing",
    ("yes", "no"): "a power cut of the broker's host can lose the last half minute; a crash loses nothing",
}
NO_FILE = "a crash of the broker loses every job since its last snapshot"
UNVERIFIED = "the broker does not show its settings: durability and eviction are UNVERIFIED"


class Fitness(Struct, frozen=True):
    """What was found. `loss` says in words what can be lost; `warnings` are to be shown to a person."""

    kind: str
    version: str
    loss: str
    warnings: tuple[str, ...] = ()


async def inspect(connection: Connection, wanted: BrokerPlan) -> Fitness:
    """Look at the broker. Raises BrokerUnfit when it is too old, or would evict jobs."""
    info = _pairs(await connection.call(("INFO", "server")))
    kind = "valkey" if "valkey_version" in info else "redis"
    version = info.get(f"{kind}_version", "0")
    if _number(version) < OLDEST[kind]:
        oldest = ".".join(map(str, OLDEST[kind]))
        raise BrokerUnfit(
            f"the broker is {kind} {version}",
            f"{kind} {oldest} or newer is needed; or use broker.url: embedded",
        )
    settings = await _settings(connection)
    if settings is None:
        return Fitness(kind, version, UNVERIFIED, (UNVERIFIED,))
    eviction = settings.get("maxmemory-policy", "noeviction")
    loss = LOSS.get((settings.get("appendonly", "no"), settings.get("appendfsync", "no")), NO_FILE)
    warnings = [*_about_eviction(eviction, wanted), *_about_durability(settings, wanted, loss)]
    return Fitness(kind, version, loss, tuple(warnings))


def _about_eviction(policy: str, wanted: BrokerPlan) -> list[str]:
    if policy == "noeviction":
        return []
    if not wanted.allow_eviction:
        raise BrokerUnfit(
            f"the broker evicts keys when its memory is full (maxmemory-policy {policy}): jobs would be lost",
            "set maxmemory-policy to noeviction on the broker, or broker.allow_eviction: true in the file",
        )
    return [f"the broker evicts keys when its memory is full (maxmemory-policy {policy}): jobs can be lost"]


def _about_durability(settings: dict[str, str], wanted: BrokerPlan, loss: str) -> list[str]:
    needed = "always" if wanted.durability == "fsync" else "everysec"
    if settings.get("appendonly") == "yes" and settings.get("appendfsync") in (needed, "always"):
        return []
    return [f"durability is {wanted.durability} in the file, but the broker is set up for less: {loss}"]


async def _settings(connection: Connection) -> dict[str, str] | None:
    try:
        reply = await connection.call(("CONFIG", "GET", "maxmemory-policy", "appendonly", "appendfsync"))
    except BrokerRefused:
        return None  # hosted brokers and strict ACLs hide CONFIG
    words = [word.decode() for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


def _pairs(reply: bytes) -> dict[str, str]:
    lines = [line for line in reply.decode().splitlines() if ":" in line]
    return dict(line.split(":", 1) for line in lines)


def _number(version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
