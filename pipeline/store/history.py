"""The generations that were applied: who, when, from which file, and the whole plan, so that it can come back.

They are kept in the broker, for supervisors on other hosts too. A plan is kept without the values of secrets.
"""

from __future__ import annotations

import contextlib
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.plan import Plan
from pipeline.store import keys
from pipeline.store.call import Call, run
from pipeline.store.store import write
from pipeline.store.wire import Connection, Reply

KEPT = 20
Origin = Literal["start", "reload", "rollback", "restart"]


class Cause(NamedTuple):
    """Why a plan is applied: `by` whom; `to` is the generation that a rollback goes back to."""

    origin: Origin
    by: str
    to: int | None = None


class Applied(Struct, frozen=True):
    """One generation. `at` is ms since 1970, `by` who applied it, `to` what a rollback went back to."""

    generation: int
    hash: str
    at: int
    by: str
    file: str
    origin: Origin
    plan: Plan
    to: int | None = None


async def remember(connection: Connection, project: str, applied: Applied, keep: int = KEPT) -> None:
    """Keep a generation, and of the older ones the last `keep`. Raises BrokerError."""
    broker = replace(applied.plan.broker, url="")
    # Who signs in how belongs to the host, as the broker's address does.
    shown = replace(applied.plan, secrets=(), inputs=(), broker=broker, http=None)
    text = msgspec.json.encode(replace(applied, plan=shown))
    await run(connection, write("HSET", keys.history(project), str(applied.generation), text))
    names = await connection.call(("HKEYS", keys.history(project)))
    numbers = sorted(int(name) for name in names if name.isdigit())
    if old := numbers[:-keep]:
        await connection.call(("HDEL", keys.history(project), *old))


def read(project: str) -> Call[list[Applied]]:
    """The generations that are kept, the newest first."""
    return Call(("HVALS", keys.history(project)), _read)


def one(project: str, generation: int) -> Call[Applied | None]:
    """One generation, if it is kept."""
    command = ("HMGET", keys.history(project), generation)
    return Call(command, lambda reply: next(iter(_read([text for text in reply if text is not None])), None))


def _read(reply: Reply) -> list[Applied]:
    found = []
    for text in reply:
        # Another version of this program may have written it.
        with contextlib.suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(text, type=Applied))
    return sorted(found, key=lambda one: one.generation, reverse=True)
