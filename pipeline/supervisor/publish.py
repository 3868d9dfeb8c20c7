"""What the broker is told of the config, and of this supervisor."""

from __future__ import annotations

import contextlib

import msgspec
from msgspec import Struct

from pipeline.clock import now_ms
from pipeline.plan import Plan
from pipeline.policy import QueuePolicy
from pipeline.status.snapshot import SupervisorState
from pipeline.store import keys
from pipeline.store.reader import server_time
from pipeline.store.store import Store, run
from pipeline.store.wire import Connection

RECORD_MS = 5_000


class Published(Struct, frozen=True):
    """The generation of our config, and whether a newer one runs elsewhere."""

    generation: int
    behind: bool = False


async def publish(connection: Connection, plan: Plan) -> Published:
    """Make the plan's policies the ones that count, unless a newer config runs. Raises BrokerError."""
    published = await _generation(connection, plan)
    if not published.behind:
        await connection.call(("SADD", keys.queues(plan.name), *plan.queues))
        for policy in plan.queues.values():
            await _publish_queue(connection, plan.name, policy, published.generation)
    return published


async def _generation(connection: Connection, plan: Plan) -> Published:
    hashes = [one.decode() for one in await connection.call(("LRANGE", keys.generations(plan.name), 0, -1))]
    if hashes and hashes[-1] == plan.hash:
        return Published(len(hashes))
    if plan.hash in hashes and await _runs(connection, plan.name, hashes[-1]):
        return Published(len(hashes) - hashes[::-1].index(plan.hash), behind=True)
    # Going back to an older file while nobody runs the newest is a new generation: the file is the truth.
    return Published(await connection.call(("RPUSH", keys.generations(plan.name), plan.hash)))


async def _runs(connection: Connection, project: str, hash: str) -> bool:
    now = await run(connection, server_time())
    records = await read_records(connection, project)
    return any(record.hash == hash and record.until > now for record in records.values())


async def _publish_queue(connection: Connection, project: str, policy: QueuePolicy, generation: int) -> None:
    store = Store(project, policy.name)
    before = await connection.call(("HGET", keys.meta(store.queue), "policy"))
    limited = "" if policy.max_active is None else policy.max_active
    await run(connection, store.publish(generation, msgspec.json.encode(policy), limited))
    # A person's `pause` or `resume` beats the file until the file itself says something new.
    if policy.paused != (msgspec.json.decode(before, type=QueuePolicy).paused if before else False):
        by = msgspec.json.encode({"by": "file", "at": now_ms()}).decode()
        if policy.paused:
            await run(connection, store.pause(by))
        else:
            await run(connection, store.resume())


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
    await connection.call(("HSET", keys.supervisors(project), name, msgspec.json.encode(record)))
    records = await read_records(connection, project)
    stale = [other for other, said in records.items() if said.until < now - RECORD_MS]
    if stale:
        await connection.call(("HDEL", keys.supervisors(project), *stale))


async def remove_record(connection: Connection, project: str, name: str) -> None:
    """Say that we are gone."""
    await connection.call(("HDEL", keys.supervisors(project), name))
