"""What a supervisor leaves in the broker to say that it is here, and in what state."""

from __future__ import annotations

import contextlib

import msgspec

from pipeline.status.supervisors import SupervisorState
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.store import write
from pipeline.store.wire import Connection

RECORD_MS = 5_000


async def read_records(connection: Connection, project: str) -> dict[str, SupervisorState]:
    """Every supervisor that left a record; those of dead ones are past their `until`."""
    reply = await connection.call(("HGETALL", keys.supervisors(project)))
    records = {}
    for name, text in zip(reply[::2], reply[1::2], strict=True):
        # Another version of this program may have written it.
        with contextlib.suppress(msgspec.MsgspecError):
            records[name.decode()] = msgspec.json.decode(text, type=SupervisorState)
    return records


async def write_record(
    connection: Connection, project: str, name: str, record: SupervisorState, now: int
) -> None:
    """Say that we are here, and remove those who said so last more than their time ago."""
    record = msgspec.structs.replace(record, until=now + RECORD_MS)
    await run(connection, write("HSET", keys.supervisors(project), name, msgspec.json.encode(record)))
    records = await read_records(connection, project)
    stale = [other for other, said in records.items() if said.until < now - RECORD_MS]
    if stale:
        await connection.call(("HDEL", keys.supervisors(project), *stale))


async def remove_record(connection: Connection, project: str, name: str) -> None:
    """Say that we are gone."""
    await connection.call(("HDEL", keys.supervisors(project), name))
