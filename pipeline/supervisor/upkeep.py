"""What a supervisor does for its queues over and over: leases, jobs of lost workers, time limits, retention.

Every step is harmless when repeated, also by several supervisors at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from msgspec import Struct

from pipeline.clock import monotonic_ms
from pipeline.job import decode_outcome
from pipeline.policy import QueuePolicy
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.reader import server_time
from pipeline.store.store import Store
from pipeline.store.wire import Connection
from pipeline.supervisor.child import Child
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.host import is_orphan
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pool import Pool
from pipeline.supervisor.recover import HOST_DIED, Mode, Recovered, Scene, reclaim, relieve
from pipeline.worker.board import Running

STILL_MS = 2_000
OVERDUE_MS = 6_000
"""A worker deals with its own time limits within 5 s; one that did not cannot."""
SWEEPS = 10
TAIL = 100


class Gone(Struct, frozen=True):
    """A worker whose process has ended, and what is known of its jobs in each of its queues."""

    pool: Pool
    child: Child
    scenes: dict[str, Scene]
    policies: dict[str, QueuePolicy]


def scenes_of(child: Child, *, planned: bool) -> dict[str, Scene]:
    """What a worker's end says about its jobs, by its boards."""
    return {
        queue: _scene(child, queue, running, planned=planned) for queue, running in child.running().items()
    }


def _scene(child: Child, queue: str, running: list[Running], *, planned: bool) -> Scene:
    begun = begun_of(running)
    if child.timed_out:
        late = frozenset(child.timed_out.get(queue, ()))
        return Scene(timed_out=late, rerun=begun - late)
    return Scene(rerun=begun) if planned else Scene(crashed=begun)


def begun_of(running: list[Running]) -> frozenset[tuple[str, int]]:
    """Running jobs by id and lease."""
    return frozenset((job.id, job.lease) for job in running)


class Upkeep:
    """The upkeep of all pools of a supervisor."""

    def __init__(self, fleet: Fleet, logs: Logs) -> None:
        self._fleet = fleet
        self._logs = logs
        self._burying = asyncio.Lock()
        self.gone: list[Gone] = []

    # --- workers that are gone ---------------------------------------------------------------------------

    async def bury(self, connection: Connection) -> None:
        """Take back the jobs of every worker whose process has ended. Raises BrokerError."""
        async with self._burying:
            while self.gone:
                await self._bury(connection, self.gone[0])
                self.gone.pop(0).child.forget()

    async def _bury(self, connection: Connection, gone: Gone) -> None:
        now = await run(connection, server_time())
        for queue, scene in gone.scenes.items():
            policy = gone.policies[queue]
            recovered = await reclaim(
                self._store(queue), connection, gone.child.name, "dead", policy, scene, now
            )
            gone.pool.note_settled(len(recovered.dead))
            self._tell(gone.child.label, recovered)
            if recovered.alone or gone.child.alone:
                await self.start_alone(connection)

    def _store(self, queue: str) -> Store:
        return Store(self._fleet.plan.name, queue)

    def _queues(self) -> Iterator[tuple[Pool, str, QueuePolicy]]:
        for pool in self._fleet.pools:
            for queue, policy in pool.policies.items():
                yield pool, queue, policy

    async def adopt(self, connection: Connection, now: int, *, lapsed: bool) -> None:
        """Take back the jobs of workers of others: of supervisors that died here, and with `lapsed` of hosts
        that have been silent for longer than their lease. `now` is the server's time. Raises BrokerError."""
        await asyncio.gather(
            *(self._adopt_from(connection, policy, now, lapsed=lapsed) for _, _, policy in self._queues())
        )

    async def _adopt_from(
        self, connection: Connection, policy: QueuePolicy, now: int, *, lapsed: bool
    ) -> None:
        workers = keys.workers(self._store(policy.name).queue)
        reply = await connection.call(("ZRANGE", workers, 0, -1, "WITHSCORES"))
        known = {child.name for child in self._fleet.children} | {gone.child.name for gone in self.gone}
        for name, ends in zip(reply[::2], reply[1::2], strict=True):
            worker = name.decode()
            if worker in known:
                continue
            if is_orphan(worker):
                await self._adopt(connection, policy, worker, now, "dead")
            elif lapsed and float(ends) < now:
                await self._adopt(connection, policy, worker, now, "lapsed")

    async def _adopt(
        self, connection: Connection, policy: QueuePolicy, worker: str, now: int, mode: Mode
    ) -> None:
        store = self._store(policy.name)
        recovered = await reclaim(store, connection, worker, mode, policy, HOST_DIED, now)
        self._tell(f"a lost worker of {policy.name} ({worker})", recovered)

    def _tell(self, worker: str, recovered: Recovered) -> None:
        if recovered.moved:
            self._logs.say(f"{worker}: {recovered.moved} jobs taken back")
        for id in recovered.dead:
            self._logs.say(f"job {id} is dead: its process died or passed its limit once too often")

    # --- workers that live -------------------------------------------------------------------------------

    async def renew(self, connection: Connection) -> None:
        """Say that our workers live. One that was reclaimed meanwhile is killed. Raises BrokerError."""
        await asyncio.gather(*(self._renew(connection, pool, queue) for pool, queue, _ in self._queues()))

    async def _renew(self, connection: Connection, pool: Pool, queue: str) -> None:
        children = {child.name: child for child in pool.children if child.loaded and queue in child.boards}
        if not children:
            return
        call = self._store(queue).renew(self._fleet.plan.supervisor.lease, list(children))
        gone = await run(connection, call)
        for name, child in children.items():
            if name not in gone:
                child.joined = True
            elif child.joined and child.state in ("running", "retiring"):
                self._logs.say(f"{child.label} lost its lease: its jobs run elsewhere")
                child.kill()

    async def amend(self, connection: Connection) -> None:
        """The broker's clock went back: let no lease last longer than it may. Raises BrokerError."""
        lease = self._fleet.plan.supervisor.lease
        await asyncio.gather(
            *(run(connection, self._store(queue).amend(lease)) for _, queue, _ in self._queues())
        )

    async def relieve(self, connection: Connection) -> None:
        """Take from workers that stand still what they have not begun. Raises BrokerError."""
        for pool, queue, policy in self._queues():
            for child in pool.children:
                if child.joined and queue in child.boards and child.stood_still() > STILL_MS:
                    moved = await relieve(
                        self._store(queue), connection, child.name, policy, child.boards[queue]
                    )
                    if moved:
                        self._logs.say(f"{child.label} stands still: {moved} jobs go to other workers")

    def end_overdue(self) -> None:
        """Kill workers with a job that is past its limit and does not end."""
        now = monotonic_ms()
        for pool in self._fleet.pools:
            pool.end_hung_starts()
            for child in pool.children:
                late = {queue: _late(jobs, now) for queue, jobs in child.running().items()}
                if child.state == "retiring":
                    # It saw to the limit itself, and waits for the neighbours of the job.
                    rest = self._fleet.plan.supervisor.stop_timeout + OVERDUE_MS
                    if now > child.retiring_since + rest:
                        child.kill()
                elif any(late.values()) and child.state in ("running", "stopping"):
                    first = min(id for jobs in late.values() for id, _ in jobs)
                    self._logs.say(f"{child.label} is killed: job {first} does not end at its limit")
                    child.timed_out = late
                    child.kill(blameless=False)
                elif child.leaves_by is not None and now > child.leaves_by + OVERDUE_MS:
                    self._logs.say(f"{child.label} is killed: it does not leave; what it ran runs again")
                    child.kill()

    # --- queues ------------------------------------------------------------------------------------------

    async def start_alone(self, connection: Connection) -> None:
        """Start a worker for jobs that must run in a process of their own. Raises BrokerError."""
        await asyncio.gather(
            *(self._start_alone(connection, pool, queue) for pool, queue, _ in self._queues())
        )

    async def _start_alone(self, connection: Connection, pool: Pool, queue: str) -> None:
        base = self._store(queue).queue
        lonely, paused = await asyncio.gather(
            connection.call(("LLEN", keys.alone(base))),
            connection.call(("HEXISTS", keys.meta(base), "paused")),
        )
        if lonely and not paused:
            pool.keep_alone(queue)

    async def sweep(self, connection: Connection, now: int) -> None:
        """Trim ended jobs by number and age, in bounded steps. `now` is the server's time. Raises BrokerError."""
        await asyncio.gather(
            *(_sweep_all(connection, self._store(queue), policy, now) for _, queue, policy in self._queues())
        )


def _late(running: list[Running], now: int) -> set[tuple[str, int]]:
    return {(job.id, job.lease) for job in running if job.deadline and now > job.deadline + OVERDUE_MS}


async def _sweep_all(connection: Connection, store: Store, policy: QueuePolicy, now: int) -> None:
    for _ in range(SWEEPS):
        if not await _sweep(connection, store, policy, now):
            break


async def _sweep(connection: Connection, store: Store, policy: QueuePolicy, now: int) -> int:
    expired, oldest = await _expired(connection, store, policy.completed.age, now)
    call = store.sweep(
        completed_count=_bound(policy.completed.count),
        expired=expired,
        oldest=oldest,
        dead_count=_bound(policy.dead.count),
        dead_age=_bound(policy.dead.age),
        cancelled_age=_bound(policy.completed.age),
    )
    return await run(connection, call)


async def _expired(
    connection: Connection, store: Store, age: int | None, now: int
) -> tuple[int, bytes | str]:
    """How many of the oldest completed jobs are past their age, and the oldest one's id."""
    if age is None:
        return 0, ""
    ids = await connection.call(("LRANGE", keys.completed(store.queue), -TAIL, -1))
    if not ids:
        return 0, ""
    outcomes = await connection.call(("HMGET", keys.outcomes(store.queue), *ids))
    expired = 0
    for outcome in reversed(outcomes):
        if outcome is not None and decode_outcome(outcome).finished_at > now - age:
            break
        expired += 1
    return expired, ids[-1]


def _bound(value: int | None) -> int | str:
    return "" if value is None else value
