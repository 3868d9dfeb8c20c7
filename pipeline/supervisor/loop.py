"""The supervisor's loop: starts the pools of a plan, keeps them alive, and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence

from pipeline.clock import now_ms
from pipeline.errors import BrokerError, StartError
from pipeline.plan import Plan, WorkerPlan
from pipeline.policy import QueuePolicy
from pipeline.store.reader import Counts, Reader, server_time
from pipeline.store.store import run
from pipeline.store.wire import Connection
from pipeline.supervisor.child import CANNOT_START, Child, Failed, Parent
from pipeline.supervisor.embedded import Embedded
from pipeline.supervisor.fitness import Fitness, inspect
from pipeline.supervisor.host import new_worker_name, supervisor_name
from pipeline.supervisor.ladder import RUNNING, Ladder
from pipeline.supervisor.link import Link
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pool import Pool
from pipeline.supervisor.publish import Published, publish, remove_record, write_record
from pipeline.supervisor.report import record_of, start_lines
from pipeline.supervisor.signals import Bell, at_terminal, own_stacks
from pipeline.supervisor.spawn import reap_strangers
from pipeline.supervisor.upkeep import Gone, Upkeep, scenes_of

HURRIED = 130
BOOT_SECONDS = 5.0
BEAT_SECONDS, SILENCE_SECONDS = 1.0, 5.0
EMPTY_SECONDS = 0.1
REAP_SECONDS = 2.0


class Supervisor:
    """One run of a plan. `run` returns the exit code when everything has ended."""

    def __init__(
        self, plan: Plan, chosen: list[str], url: str, embedded: Embedded | None, logs: Logs
    ) -> None:
        self._plan = plan
        self._url = url
        self._embedded = embedded
        self._logs = logs
        self._bell = Bell()
        self._started_at = now_ms()
        self._name = supervisor_name()
        self._published = Published(0)
        self._fitness: Fitness | None = None
        self._boot_error: StartError | None = None
        self._died_while_empty = False
        rules = plan.supervisor
        self.pools = [
            Pool(name, queues, plan.pools[name], rules, self._hire, logs, self)
            for name, queues in staffed(plan, chosen).items()
        ]
        self._ladder = Ladder(self.pools, rules.stop_timeout, logs)
        self._upkeep = Upkeep(plan, self.pools, logs)
        self._link = Link(url, embedded, logs, self._greet)

    async def run(self, *, until_empty: bool) -> int:
        """Supervise until told to stop. The exit code; raises StartError, BrokerUnfit or BrokerUnavailable."""
        self._bell.install()
        work = [asyncio.create_task(self._work(until_empty=until_empty))]
        work[0].add_done_callback(lambda _: self._bell.ring())
        try:
            while not self._is_over(work[0]):
                for number in await self._bell.wait():
                    self._obey(number)
                self._give_up_if_fatal()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self._leave()
        if self._boot_error is not None:
            raise self._boot_error
        return self._exit_code()

    def _is_over(self, work: asyncio.Task[None]) -> bool:
        if work.done() and not work.cancelled() and (error := work.exception()) is not None:
            self._ladder.kill()
            raise error
        return self._ladder.step > RUNNING and not any(pool.children for pool in self.pools)

    def _exit_code(self) -> int:
        if self._ladder.hurried:
            return HURRIED
        fatal = any(pool.state == "fatal" for pool in self.pools)
        return int(fatal or self._died_while_empty)

    # --- the work ----------------------------------------------------------------------------------------

    async def _work(self, *, until_empty: bool) -> None:
        connection = await self._link.open(BOOT_SECONDS)
        before = await self._look(connection) if until_empty else {}
        for line in start_lines(self._plan, self.pools, self._fitness, self._published):
            self._logs.say(line)
        for pool in self.pools:
            pool.keep()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            if until_empty:
                tasks.create_task(self._stop_when_empty(before))

    async def _greet(self, connection: Connection) -> None:
        """With every new connection: it may be another server than before, or one that lost its memory."""
        if self._fitness is None:
            self._fitness = await inspect(connection, self._plan.broker)
        self._published = await publish(connection, self._plan)
        await self._upkeep.renew(connection)

    async def _beat(self) -> None:
        lease = self._plan.supervisor.lease / 1000
        while True:
            self._upkeep.end_overdue()
            reap_strangers(self._own_pids())
            if (connection := self._link.connection) is not None:
                try:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        await self._tend(connection)
                except TimeoutError:
                    self._link.doubt()
                except BrokerError as error:
                    if not connection.lost.done():
                        self._logs.say(error.message)
            await asyncio.sleep(min(BEAT_SECONDS, lease / 5))

    async def _tend(self, connection: Connection) -> None:
        upkeep = self._upkeep
        await upkeep.renew(connection)
        await upkeep.bury(connection)
        # After an outage every lease may have ended: others need the time to renew theirs.
        lapsed = self._link.is_up_for(self._plan.supervisor.lease)
        await upkeep.adopt(connection, lapsed=lapsed)
        await upkeep.relieve(connection)
        await upkeep.start_alone(connection)
        await upkeep.sweep(connection)
        record = record_of(
            self._plan, self.pools, self._published, self._started_at, stopping=self._ladder.step > RUNNING
        )
        now = await run(connection, server_time())
        await write_record(connection, self._plan.name, self._name, record, now)

    async def _look(self, connection: Connection) -> dict[str, Counts]:
        queues = [queue for pool in self.pools for queue in pool.queues]
        return {queue: await run(connection, Reader(self._plan.name, queue).counts()) for queue in queues}

    async def _stop_when_empty(self, before: dict[str, Counts]) -> None:
        empty = 0
        while self._ladder.step == RUNNING:
            await asyncio.sleep(EMPTY_SECONDS)
            connection = self._link.connection
            if connection is None or any(pool.state in ("starting", "backoff") for pool in self.pools):
                continue
            try:
                found = await self._look(connection)
            except BrokerError:
                continue
            waited_for = [queue for pool in self.pools if pool.state != "fatal" for queue in pool.queues]
            busy = any(is_busy(found[queue]) for queue in waited_for)
            empty = 0 if busy else empty + 1
            if empty == 2:
                self._died_while_empty = any(died(found[queue]) > died(before[queue]) for queue in found)
                self._ladder.drain("every queue is empty")
                self._bell.ring()

    # --- what pools need -----------------------------------------------------------------------------------

    def _hire(self, queues: Sequence[QueuePolicy], label: str, parent: Parent, *, alone: bool) -> Child:
        rules = self._plan.supervisor
        plan = WorkerPlan(
            worker=new_worker_name(),
            project=self._plan.name,
            root=self._plan.root,
            broker=self._url,
            queues=tuple(queues),
            setup=self._plan.setup,
            stop_timeout=rules.stop_timeout,
            lease=rules.lease,
            import_timeout=rules.import_timeout,
            alone=alone,
            json_logs=self._logs.json,
        )
        return Child(plan, label, self._logs, parent)

    def on_boot_failure(self, pool: Pool, failed: Failed) -> None:
        """A worker cannot start at all, and none of its pool ever did: the boot has failed."""
        if self._boot_error is None and self._ladder.step == RUNNING:
            text = failed.traceback.strip()
            self._boot_error = StartError(
                f"queue {', '.join(pool.queues)!r} cannot start: {failed.reason}", CANNOT_START, text
            )
            self._ladder.release(f"{pool.name} cannot start: stopping")

    def on_child_gone(self, pool: Pool, child: Child, *, planned: bool) -> None:
        """A worker has ended: its jobs are taken back at once, or when the broker is back."""
        self._upkeep.gone.append(Gone(pool, child, scenes_of(child, planned=planned)))
        if self._link.connection is not None:
            task = asyncio.create_task(self._bury(self._link.connection))
            task.add_done_callback(lambda _: self._bell.ring())
        self._bell.ring()

    async def _bury(self, connection: Connection) -> None:
        try:
            await self._upkeep.bury(connection)
        except BrokerError as error:
            self._logs.say(f"jobs are taken back later: {error.message}")

    def _own_pids(self) -> set[int]:
        pids = {child.pid for pool in self.pools for child in pool.children}
        return pids | ({self._embedded.pid} if self._embedded is not None else set())

    # --- signals and the end -------------------------------------------------------------------------------

    def _obey(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGTERM:
                self._ladder.drain("SIGTERM")
            case signal.SIGINT:
                self._ladder.interrupt("Ctrl-C")
            case signal.SIGHUP if at_terminal():
                self._ladder.drain("the terminal was closed")
            case signal.SIGUSR1:
                self._dump_stacks()
            case signal.SIGTSTP:
                self._hush()
            case signal.SIGCONT:
                for pool in self.pools:
                    pool.resume()
            case _:
                self._logs.say(f"{number.name} does nothing")

    def _hush(self) -> None:
        self._logs.say("quiet: no new jobs until SIGCONT")
        for pool in self.pools:
            pool.hush()

    def _dump_stacks(self) -> None:
        self._logs.say(own_stacks())
        for pool in self.pools:
            for child in pool.children:
                child.dump_stacks()

    def _give_up_if_fatal(self) -> None:
        if self.pools and all(pool.state == "fatal" and not pool.children for pool in self.pools):
            self._ladder.drain("every pool is FATAL")

    async def _end_children(self) -> None:
        """After a stop there are none; after an error of our own there may be."""
        for pool in self.pools:
            for child in pool.children:
                child.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_SECONDS):
                while any(pool.children for pool in self.pools):
                    await self._bell.wait()

    async def _leave(self) -> None:
        self._ladder.end()
        await self._end_children()
        connection = self._link.connection
        if connection is not None:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._upkeep.bury(connection)
                    await remove_record(connection, self._plan.name, self._name)
            except (BrokerError, TimeoutError) as error:
                self._logs.say(f"left without telling the broker: {error}")
        self._link.close()


def staffed(plan: Plan, chosen: Sequence[str]) -> dict[str, dict[str, QueuePolicy]]:
    """The pools that serve any of the `chosen` queues, each with those queues."""
    wanted = set(chosen)
    queues = {name: [queue for queue in pool.queues if queue in wanted] for name, pool in plan.pools.items()}
    return {
        name: {queue: plan.queues[queue] for queue in served} for name, served in queues.items() if served
    }


def is_busy(counts: Counts) -> bool:
    """Whether `--until-empty` waits for this queue."""
    return counts.paused is None and bool(counts.waiting + counts.delayed + counts.active)


def died(counts: Counts) -> int:
    """How many jobs of the queue ever died."""
    return counts.stats.get("dead", 0)
