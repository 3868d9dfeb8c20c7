"""What the broker says of itself."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from pipeline.errors import BrokerRefused
from pipeline.plan import BrokerPlan
from pipeline.store.wire import Connection


class BrokerState(Struct, frozen=True):
    """The broker. `ok`: it loses no jobs by its settings, as far as it shows them; `reason` says why not."""

    kind: str
    version: str | None = None
    durability: str | None = None
    used_memory: int | None = None
    ok: bool = False
    reason: str | None = None


async def look_at_broker(connection: Connection, wanted: BrokerPlan) -> BrokerState:
    """Ask the broker for its version, memory and settings. Raises BrokerError."""
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
