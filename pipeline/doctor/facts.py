"""What a server says of itself, as far as it says anything: hosted ones and strict ACLs hide much of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from pipeline.errors import BrokerRefused, BrokerUnavailable
from pipeline.store.wire import Command, Connection, Reply

PATIENCE = 5.0
MOST_LAG = 10
"""Seconds; as the default of min-replicas-max-lag."""
SETTINGS = (
    "appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "min-replicas-to-write", "maxclients",
    "proto-max-bulk-len", "client-query-buffer-limit",
)  # fmt: skip


class Facts(Struct, frozen=True):
    """`info` is INFO, `settings` is CONFIG GET; empty when they are hidden. `waits_for_file`: it knows WAITAOF."""

    info: dict[str, str] = {}
    settings: dict[str, str] = {}
    waits_for_file: bool = False

    @property
    def kind(self) -> str:
        return "valkey" if "valkey_version" in self.info else "redis"

    @property
    def version(self) -> str | None:
        """None when it is hidden."""
        return self.info.get(f"{self.kind}_version")

    @property
    def eviction(self) -> str | None:
        return self.settings.get("maxmemory-policy") or self.info.get("maxmemory_policy")

    @property
    def keeps_file(self) -> bool | None:
        """Whether there is an append-only file; None when that is hidden."""
        said = self.settings.get("appendonly") or self.info.get("aof_enabled")
        return None if said is None else said in ("yes", "1")

    @property
    def replicas(self) -> int | None:
        """How many replicas keep up; None when that is hidden."""
        if "role" not in self.info:
            return None
        return sum(keeps_up(about) for name, about in self.info.items() if re.fullmatch(r"slave\d+", name))

    def number(self, setting: str, info: str = "") -> int | None:
        """A setting that is a number, by its name in CONFIG or in INFO; None when it is hidden."""
        said = self.settings.get(setting) or self.info.get(info)
        return int(said) if said and said.isdigit() else None


def keeps_up(about: str) -> bool:
    """Whether a replica has all but the last seconds, by what INFO says of it: ip=...,state=online,lag=0."""
    said = dict(part.partition("=")[::2] for part in about.split(","))
    return said.get("state") == "online" and int(said.get("lag", 0)) <= MOST_LAG


async def gather(connection: Connection) -> Facts:
    """Ask a server. Raises BrokerUnavailable."""
    async with within(PATIENCE):
        info, settings, waits = await asyncio.gather(
            asked(connection, ("INFO",)),
            asked(connection, ("CONFIG", "GET", *SETTINGS)),
            asked(connection, ("WAITAOF", 0, 0, 0)),
        )
    words = [word.decode() for word in settings or ()]
    return Facts(_pairs(info or b""), dict(zip(words[::2], words[1::2], strict=True)), waits is not None)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """The block, with a time limit. Raises BrokerUnavailable: a server that is frozen takes connections too."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        told = f"the broker has not answered for {seconds:.0f} s"
        raise BrokerUnavailable(told, "does it stand still? see its log") from None


async def asked(connection: Connection, command: Command) -> Reply | None:
    """The reply, or None when the server refuses to tell."""
    try:
        return await connection.call(command)
    except BrokerRefused:
        return None


def _pairs(reply: bytes) -> dict[str, str]:
    lines = [line for line in reply.decode(errors="replace").splitlines() if ":" in line]
    return dict(line.split(":", 1) for line in lines)
