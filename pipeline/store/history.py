"""The generations that were applied: who, when, from which file, and the whole plan, so that it can come back.

They are kept in the broker, for supervisors on other hosts too. A plan is kept without the values of secrets.
"""

from __future__ import annotations

import contextlib
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.plan import Plan
from pipeline.store import keys
from pipeline.store.store import Call
from pipeline.store.wire import Connection, Reply

KEPT = 20
Origin = Literal["start", "reload", "rollback", "restart"]


class Applied(Struct, frozen=True):
    """One generation. `at` is ms since 1970, `by` who applied it."""

    generation: int
    hash: str
    at: int
    by: str
    file: str
    origin: Origin
    plan: Plan


async def remember(connection: Connection, project: str, applied: Applied, keep: int = KEPT) -> None:
    """Keep a generation, and of the older ones the last `keep`. Raises BrokerError."""
    shown = replace(applied.plan, secrets=(), inputs=(), broker=replace(applied.plan.broker, url=""))
    text = msgspec.json.encode(replace(applied, plan=shown))
    await connection.call(("HSET", keys.history(project), applied.generation, text))
    numbers = sorted(map(int, await connection.call(("HKEYS", keys.history(project)))))
    if old := numbers[:-keep]:
        await connection.call(("HDEL", keys.history(project), *old))


def read(project: str) -> Call[list[Applied]]:
    """The generations that are kept, the newest first."""
    return Call(("HVALS", keys.history(project)), _read)


def _read(reply: Reply) -> list[Applied]:
    found = []
    for text in reply:
        # Another version of this program may have written it.
        with contextlib.suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(text, type=Applied))
    return sorted(found, key=lambda one: one.generation, reverse=True)
