"""What the web processes of all hosts share: who did what, and which sessions do not count any more."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from pipeline.store import keys
from pipeline.store.call import Call, run
from pipeline.store.store import write
from pipeline.store.wire import Connection, Reply

KEPT = 10_000
CHUNK = 500


class Entry(Struct, frozen=True, rename={"from_": "from"}):
    """One thing that somebody did. `at` is ms since 1970, `from_` an address, `outcome` the status of the answer."""

    at: int
    by: str
    role: str
    from_: str
    action: str
    outcome: int


async def note(connection: Connection, project: str, entry: Entry) -> None:
    """Write down what somebody did, and forget what is old. Raises BrokerError."""
    key = keys.audit(project)
    await run(connection, write("LPUSH", key, msgspec.json.encode(entry)))
    await run(connection, write("LTRIM", key, 0, KEPT - 1))


async def entries(connection: Connection, project: str, limit: int, before: int | None) -> list[Entry]:
    """The last `limit` entries, the newest first, of those older than `before` (ms). Raises BrokerError."""
    found: list[Entry] = []
    for start in range(0, KEPT, CHUNK):
        chunk = await run(
            connection, Call(("LRANGE", keys.audit(project), start, start + CHUNK - 1), _entries)
        )
        found += [one for one in chunk if before is None or one.at < before]
        if len(found) >= limit or len(chunk) < CHUNK:
            break
    return found[:limit]


def _entries(reply: Reply) -> list[Entry]:
    found = []
    for text in reply:
        # Another version of this program may have written it.
        with contextlib.suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(text, type=Entry))
    return found


async def sign_out(connection: Connection, project: str, field: str, at: int) -> None:
    """No session of a user (`user:<name>`) begun before `at` counts, or the one (`session:<id>`) that would have lasted
    until `at`. Raises BrokerError."""
    await run(connection, write("HSET", keys.signed_out(project), field, at))


def signed_out(project: str) -> Call[dict[str, int]]:
    """Everything that was signed out and is to be known still."""
    return Call(("HGETALL", keys.signed_out(project)), _signed_out)


async def forget(connection: Connection, project: str, known: Mapping[str, int], now: int) -> None:
    """Drop what has ended by itself. Raises BrokerError."""
    over = [field for field, at in known.items() if field.startswith("session:") and at < now]
    if over:
        await connection.call(("HDEL", keys.signed_out(project), *over))


def _signed_out(reply: Reply) -> dict[str, int]:
    return {
        field.decode(): int(at) for field, at in zip(reply[::2], reply[1::2], strict=True) if at.isdigit()
    }
