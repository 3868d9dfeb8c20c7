"""What the broker is told of the config: one generation after the other, each owned by whoever applied it."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.clock import now_ms
from pipeline.diff import diff
from pipeline.plan import Plan, SchedulePlan
from pipeline.policy import QueuePolicy, Rate
from pipeline.status.supervisors import SupervisorState
from pipeline.store import history, keys, layout
from pipeline.store.call import run
from pipeline.store.confirm import Confirm
from pipeline.store.history import Applied, Cause
from pipeline.store.layout import Layout
from pipeline.store.overrides import BY_FILE, Pause
from pipeline.store.reader import server_time
from pipeline.store.schedules import Schedules
from pipeline.store.store import Store, write
from pipeline.store.wire import Connection
from pipeline.supervisor.flows import publish_flows
from pipeline.supervisor.records import read_records, write_record

OURS = ("concurrency", "executor", "executor_max_jobs", "batch", "jobs", "others")
"""What counts from a supervisor's own file, also when a newer generation runs elsewhere; see `follow`."""

SLACK = 10
"""By so many ms the window is longer than the file says: a job starts a little after it was reserved, and not always
equally late."""


class Published(Struct, frozen=True):
    """The generation of our config, and whether a newer one runs elsewhere."""

    generation: int
    behind: bool = False


class Publisher:
    """Makes a supervisor's policies the ones that count. `name` is the supervisor's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.published = Published(0)
        self.confirm: Confirm | None = None
        """What producers must wait for beside the broker's answer."""
        self.changing = asyncio.Lock()
        """Held from the first word of a new generation until the supervisor goes by it."""

    async def greet(self, connection: Connection, plan: Plan, by: str) -> None:
        """With every new connection: it may be another server than before, or one that lost its memory."""
        await self._publish(connection, plan, Cause("start", by))

    async def commit(self, connection: Connection, plan: Plan, cause: Cause) -> None:
        """A change of the running config. Raises BrokerError."""
        await self._publish(connection, plan, cause)

    async def _publish(self, connection: Connection, plan: Plan, cause: Cause) -> None:
        hashes = await self._hashes(connection, plan)
        changed: set[str] = set()
        if hashes and hashes[-1] == plan.hash:
            published = Published(len(hashes))
        elif cause.origin != "rollback" and await self._is_behind(connection, plan, hashes):
            self.published = Published(len(hashes) - hashes[::-1].index(plan.hash), behind=True)
            return
        else:
            before = await run(connection, history.one(plan.name, len(hashes)))
            changed = {change.path for change in diff(before.plan, plan)} if before else set()
            published = Published(await self._begin(connection, plan, cause))
        await self._publish_queues(connection, plan, published.generation, changed)
        await self._arrange(connection, plan, published.generation)
        self.published = published
        await self.retract(connection, plan)

    async def _is_behind(self, connection: Connection, plan: Plan, hashes: list[str]) -> bool:
        """Whether this is an older content, and the newest runs elsewhere. If nobody runs that, going back to an
        older file is a new generation: the file is the truth."""
        return plan.hash in hashes and await self._is_run(connection, plan, hashes[-1])

    async def _begin(self, connection: Connection, plan: Plan, cause: Cause) -> int:
        """A new generation: its number."""
        number = int(await run(connection, write("RPUSH", keys.generations(plan.name), plan.hash)))
        applied = Applied(number, plan.hash, now_ms(), cause.by, plan.file, cause.origin, plan, cause.to)
        await history.remember(connection, plan.name, applied)
        return number

    async def _publish_queues(
        self, connection: Connection, plan: Plan, generation: int, changed: set[str]
    ) -> None:
        """`changed` are the paths of what is new beside the generation before."""
        await run(connection, write("SADD", keys.queues(plan.name), *plan.queues))
        await asyncio.gather(
            *(
                publish_queue(connection, plan.name, policy, generation, self.confirm)
                for policy in plan.queues.values()
            )
        )
        await publish_flows(connection, plan, generation)
        for name, pool in plan.pools.items():
            # A person's `scale` beats the file until the file itself says something new.
            if changed & {f"queues.{name}.processes", f"pools.{name}.processes"}:
                for queue in pool.queues:
                    await run(connection, Store(plan.name, queue).unscale())

    async def _arrange(self, connection: Connection, plan: Plan, generation: int) -> None:
        """The schedules of every queue, also of those that the plan lacks: what it has no more is forgotten."""
        known = {name.decode() for name in await connection.call(("SMEMBERS", keys.queues(plan.name)))}
        await asyncio.gather(
            *(
                run(connection, Schedules(plan.name, queue).arrange(generation, schedules_of(plan, queue)))
                for queue in known
            )
        )

    async def _hashes(self, connection: Connection, plan: Plan) -> list[str]:
        return [one.decode() for one in await connection.call(("LRANGE", keys.generations(plan.name), 0, -1))]

    async def _is_run(self, connection: Connection, plan: Plan, hash: str) -> bool:
        """Whether another live supervisor runs this content."""
        now = await run(connection, server_time())
        records = await read_records(connection, plan.name)
        others = (record for name, record in records.items() if name != self._name)
        return any(record.hash == hash and record.until > now for record in others)

    async def write(self, connection: Connection, plan: Plan, record: SupervisorState) -> None:
        """Say that we are here, and how we stand. Raises BrokerError."""
        await write_record(connection, plan.name, self._name, record, await run(connection, server_time()))

    # --- when others are ahead -------------------------------------------------------------------------

    async def follow(self, connection: Connection, plan: Plan) -> dict[str, QueuePolicy]:
        """Look whether a newer generation runs elsewhere. The result is the policies to go by instead of the
        plan's: what is the queue's as a whole has one owner, the newest generation. Raises BrokerError."""
        newest = await connection.call(("LINDEX", keys.generations(plan.name), -1))
        if newest is None or newest.decode() == plan.hash:
            count = await connection.call(("LLEN", keys.generations(plan.name)))
            self.published = Published(count) if count else self.published
            return {}
        self.published = replace(self.published, behind=True)
        return {
            name: policy
            for name, own in plan.queues.items()
            if (policy := await self._theirs(connection, plan.name, own)) != own
        }

    async def _theirs(self, connection: Connection, project: str, own: QueuePolicy) -> QueuePolicy:
        text = await connection.call(("HGET", keys.meta(keys.base(project, own.name)), "policy"))
        if text is None:
            return own
        theirs = msgspec.json.decode(text, type=QueuePolicy)
        return replace(theirs, **{field: getattr(own, field) for field in OURS})

    async def retract(self, connection: Connection, plan: Plan) -> list[str]:
        """Close the queues that the newest generation does not have and no other supervisor runs: their jobs stay,
        and new ones are refused. The result names them. Raises BrokerError."""
        if self.published.behind:
            return []
        names = {name.decode() for name in await connection.call(("SMEMBERS", keys.queues(plan.name)))}
        gone = names.difference(plan.queues)
        if not gone:
            return []
        now = await run(connection, server_time())
        records = await read_records(connection, plan.name)
        others = [one for name, one in records.items() if name != self._name and one.until > now]
        served = {pool.queue for one in others for pool in one.pools}
        generation = self.published.generation
        return [
            name
            for name in sorted(gone - served)
            if await run(connection, Store(plan.name, name).retract(generation))
        ]


def schedules_of(plan: Plan, queue: str) -> dict[str, SchedulePlan]:
    """The schedules whose jobs go into this queue."""
    return {name: one for name, one in plan.schedules.items() if one.queue == queue}


def rate(limit: Rate | None, none: str = "") -> str:
    """A rate limit as the scripts read it; see SLACK."""
    return none if limit is None else f"{limit.max} {limit.per + SLACK}"


def lanes(policy: QueuePolicy) -> str:
    """What holds for each lane, as the scripts read it. What deduplication keeps the last of has lanes, too."""
    own = policy.lanes
    if own is not None:
        starts = rate(own.rate_limit, none="0 0")
        return f"{own.max_active or 0} {starts} {own.strict:d} {own.fair:d}"
    keeps = any(job.deduplication and job.deduplication.mode == "keep_last" for job in policy.every_job)
    return "1 0 0 1 0" if keeps else ""


async def open_lanes(connection: Connection, store: Store) -> None:
    """Let in whom a wider lane has room for: what waits must not depend on what comes next. Raises BrokerError."""
    cursor, let = b"0", 0
    while True:
        cursor, more = await run(connection, store.open_lanes(cursor))
        let += more
        if cursor == b"0":
            if not let:
                return
            let = 0


async def publish_queue(
    connection: Connection,
    project: str,
    policy: QueuePolicy,
    generation: int,
    confirm: Confirm | None = None,
) -> None:
    """Make one queue's policy the one that counts, and stop or resume it when the file says something new."""
    store = Store(project, policy.name)
    # Before the generation, by which producers learn of it.
    if confirm is None:
        await run(connection, write("HDEL", keys.meta(store.queue), "confirm"))
    else:
        await run(connection, write("HSET", keys.meta(store.queue), "confirm", str(confirm)))
    before, stands = await connection.call(("HMGET", keys.meta(store.queue), "policy", "layout"))
    # An older version beside a newer one must not lower it: producers go by it.
    if (lies := Layout.read(stands)) is None or lies.number < layout.WRITTEN:
        await run(connection, write("HSET", keys.meta(store.queue), "layout", str(layout.OURS)))
    limited = "" if policy.max_active is None else policy.max_active
    written = msgspec.json.encode(policy)
    await run(connection, store.publish(generation, written, limited, rate(policy.rate_limit), lanes(policy)))
    await open_lanes(connection, store)
    # A person's `pause` or `resume` beats the file until the file itself says something new.
    if policy.paused != (msgspec.json.decode(before, type=QueuePolicy).paused if before else False):
        if policy.paused:
            await run(connection, store.pause(msgspec.json.encode(Pause(BY_FILE, now_ms()))))
        else:
            await run(connection, store.resume())
