"""The supervisor's loop: starts the pools of a plan, keeps them alive, and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Sequence
from typing import Any

from pipeline.clock import now_ms
from pipeline.errors import BrokerDenied, BrokerError, StartError
from pipeline.plan import Plan
from pipeline.state import me, state_folder
from pipeline.status.supervisors import SupervisorState
from pipeline.store.call import run
from pipeline.store.reader import Counts, Reader
from pipeline.store.wire import Connection
from pipeline.supervisor.alerts import Alerts
from pipeline.supervisor.beat import Beat
from pipeline.supervisor.child import CANNOT_START, Child, Failed
from pipeline.supervisor.control import ControlSocket
from pipeline.supervisor.drift import Drift
from pipeline.supervisor.embedded import Embedded
from pipeline.supervisor.fitness import Fitness, inspect
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.host import supervisor_name
from pipeline.supervisor.ladder import RUNNING, Ladder
from pipeline.supervisor.layouts import settle
from pipeline.supervisor.leases import Leases
from pipeline.supervisor.link import Link
from pipeline.supervisor.locks import QueueLocks
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.notify import Notify
from pipeline.supervisor.pool import Pool
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.readiness import why_not_ready
from pipeline.supervisor.records import remove_record
from pipeline.supervisor.reload import Reloader
from pipeline.supervisor.report import record_of, start_lines, status_line
from pipeline.supervisor.requests import Requests
from pipeline.supervisor.schedules import Scheduler
from pipeline.supervisor.signals import Bell, own_stacks
from pipeline.supervisor.spawn import reap_strangers
from pipeline.supervisor.totals import Totals
from pipeline.supervisor.transition import Transition
from pipeline.supervisor.upkeep import Gone, Upkeep, scenes_of
from pipeline.supervisor.watch import Watcher
from pipeline.supervisor.web import Web

HURRIED = 130
BOOT_SECONDS = 5.0
PATIENCE_SECONDS = 5.0
EMPTY_SECONDS = 0.1
REAP_SECONDS = 2.0


class Supervisor:
    """One run of a plan. `run` returns the exit code when everything has ended."""

    def __init__(
        self,
        plan: Plan,
        only: Sequence[str] | None,
        url: str,
        embedded: Embedded | None,
        locks: QueueLocks,
        logs: Logs,
    ) -> None:
        self._embedded = embedded
        self._locks = locks
        self._logs = logs
        self._bell = Bell()
        self._started_at = now_ms()
        self._name = supervisor_name()
        self._fitness: Fitness | None = None
        self._boot_error: StartError | None = None
        self._died_while_empty = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self.fleet = Fleet(plan, only, url, logs, self)
        self._notify = Notify(logs)
        self._ladder = Ladder(self.fleet, logs, self._notify)
        self._upkeep = Upkeep(self.fleet, logs)
        self._denial: BrokerError | None = None
        self._link = link = Link(url, embedded, logs, self._greet, self._denied)
        self._leases = Leases(self.fleet, self._upkeep, link, logs)
        self._publisher = Publisher(self._name)
        transition = Transition(self.fleet, self._publisher, self._link, locks, self._is_stopping)
        self._reloader = Reloader(
            self.fleet, transition, self._publisher, self._link, logs, self._notify.reloading
        )
        self._drift = Drift(self.fleet, self._publisher, logs)
        self._alerts = Alerts(self.fleet, logs, lambda: self._publisher.published.generation)
        self._web = Web(self.fleet, url, logs, lambda: self._publisher.published.generation)
        self._beat = Beat(
            self.fleet,
            self._upkeep,
            self._alerts,
            self._leases,
            self._drift,
            self._publisher,
            link,
            logs,
            Totals(self.fleet, self._alerts, self._reloader),
            self._record,
            self._denied,
        )
        self._scheduler = Scheduler(self.fleet, self._publisher, self._leases, link, logs, self._is_stopping)
        watcher = Watcher(self.fleet, self._reloader)
        self._watcher = watcher
        self._requests = Requests(
            self.fleet, self._reloader, watcher, self._ladder, logs, self._bell.ring, self._tell_standing
        )
        self._control = ControlSocket(state_folder(plan.root), self._requests.obey)

    async def run(self, *, until_empty: bool) -> int:
        """Supervise until told to stop. The exit code; raises StartError, BrokerUnfit or BrokerUnavailable."""
        self._bell.install()
        self._notify.open()
        self._leases.pulse.tick()
        work = asyncio.create_task(self._work(until_empty=until_empty))
        work.add_done_callback(lambda _: self._bell.ring())
        try:
            while not self._is_over(work):
                for number in await self._bell.wait():
                    self._obey(number)
                self._give_up_if_fatal()
        finally:
            for task in (work, *self._tasks):
                task.cancel()
            await asyncio.gather(work, *self._tasks, return_exceptions=True)
            await self._leave()
            self._notify.close()
            self._bell.close()
        if (error := self._boot_error or self._denial) is not None:
            raise error
        return self._exit_code()

    def _is_over(self, work: asyncio.Task[None]) -> bool:
        if work.done() and not work.cancelled() and (error := work.exception()) is not None:
            self._ladder.kill()
            raise error
        return self._is_stopping() and not any(self.fleet.children)

    def _is_stopping(self) -> bool:
        return self._ladder.step > RUNNING

    def _exit_code(self) -> int:
        if self._ladder.hurried:
            return HURRIED
        fatal = any(pool.state == "fatal" for pool in self.fleet.pools)
        return int(fatal or self._died_while_empty)

    # --- the work ----------------------------------------------------------------------------------------

    async def _work(self, *, until_empty: bool) -> None:
        connection = await self._link.open(BOOT_SECONDS)
        before = await self._look(connection) if until_empty else {}
        fleet = self.fleet
        for line in start_lines(fleet.plan, fleet.pools, self._fitness, self._publisher.published):
            self._logs.say(line)
        await self._drift.look(connection)
        await self._alerts.look(connection)
        for pool in fleet.pools:
            pool.keep()
        if not until_empty:
            self._web.open()
        await self._control.open()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._leases.run())
            tasks.create_task(self._link.attend())
            tasks.create_task(self._beat.run(self._keep_house))
            tasks.create_task(self._watcher.run())
            if until_empty:
                tasks.create_task(self._stop_when_empty(before))
            else:
                tasks.create_task(self._scheduler.run())

    async def _greet(self, connection: Connection) -> None:
        """With every new connection: it may be another server than before, or one that lost its memory."""
        if self._fitness is None:
            self._fitness = await inspect(connection, self.fleet.plan.broker)
            self._publisher.confirm = self._fitness.confirm
        await settle(connection, self.fleet.plan.name, self._logs.say)
        await self._publisher.greet(connection, self.fleet.plan, me())
        await self._leases.renew(connection)

    def _keep_house(self) -> None:
        self._upkeep.end_overdue()
        self._alerts.note(self._reloader.mistake)
        for pool in self.fleet.pools:
            pool.recycle()
        self.fleet.forget_stopped()
        self._locks.keep(self.fleet.held_queues)
        connected = self._link.connection is not None
        reason = why_not_ready(self.fleet, connected=connected, stopping=self._is_stopping())
        self._web.tend(reason)
        self._notify.tend(reason, lambda: status_line(self._record(), reason))
        reap_strangers(self._own_pids())

    async def _tell_standing(self) -> None:
        """Not only with the next beat: a person looks now."""
        await self._web.change()
        connection = self._link.connection
        if connection is not None:
            with contextlib.suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._publisher.write(connection, self.fleet.plan, self._record())

    def _record(self) -> SupervisorState:
        return record_of(
            self.fleet,
            self._publisher.published,
            self._reloader,
            self._started_at,
            self._alerts.troubles,
            self._web.state,
            stopping=self._is_stopping(),
        )

    async def _look(self, connection: Connection) -> dict[str, Counts]:
        name = self.fleet.plan.name
        return {queue: await run(connection, Reader(name, queue).counts()) for queue in self.fleet.queues}

    async def _stop_when_empty(self, before: dict[str, Counts]) -> None:
        empty = 0
        while not self._is_stopping():
            await asyncio.sleep(EMPTY_SECONDS)
            connection, pools = self._link.connection, self.fleet.serving
            if connection is None or any(pool.state in ("starting", "backoff") for pool in pools):
                continue
            try:
                found = await self._look(connection)
            except BrokerError:
                continue
            waited_for = [queue for pool in pools if pool.state != "fatal" for queue in pool.queues]
            busy = any(is_busy(found[queue]) for queue in waited_for if queue in found)
            if not busy and not await self._revive_flows(connection):
                continue
            empty = 0 if busy else empty + 1
            if empty == 2:
                self._died_while_empty = any(
                    died(found[queue]) > (died(before[queue]) if queue in before else 0) for queue in found
                )
                self._ladder.drain("every queue is empty")
                self._bell.ring()

    async def _revive_flows(self, connection: Connection) -> bool:
        """Queues may be empty because a flow stands still. Whether the broker answered."""
        try:
            await self._beat.flows.tend(connection, self.fleet.plan, quiet=0)
        except BrokerError:
            return False
        return True

    # --- what pools need -----------------------------------------------------------------------------------

    def on_boot_failure(self, pool: Pool, failed: Failed) -> None:
        """A worker cannot start at all, and none of its pool ever did: the boot has failed."""
        if self._boot_error is None and not self._is_stopping():
            text = failed.traceback.strip()
            self._boot_error = StartError(
                f"queue {', '.join(pool.queues)!r} cannot start: {failed.reason}", CANNOT_START, text
            )
            self._ladder.release(f"{pool.name} cannot start: stopping")

    def on_denied(self, reason: str) -> None:
        """The broker does not let a worker in."""
        self._denied(BrokerDenied(reason))

    def _denied(self, error: BrokerError) -> None:
        """Another try would end as this one: stop. What runs may end, on the connections that stand."""
        if self._denial is None:
            self._denial = error
            self._ladder.drain(error.message)
            self._bell.ring()

    def on_child_gone(self, pool: Pool, child: Child, *, planned: bool) -> None:
        """A worker has ended: its jobs are taken back at once, or when the broker is back."""
        scenes = scenes_of(child, planned=planned)
        self._upkeep.gone.append(Gone(pool, child, scenes, dict(pool.policies)))
        if self._link.connection is not None:
            self._begin(self._bury(self._link.connection))
        self._bell.ring()

    async def _bury(self, connection: Connection) -> None:
        try:
            await self._upkeep.bury(connection)
        except BrokerError as error:
            self._logs.say(f"jobs are taken back later: {error.message}")

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside the loop, which looks again when it is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._bell.ring())

    def _own_pids(self) -> set[int]:
        ahead = [canary.child for canary in self.fleet.ahead.values() if canary.child is not None]
        pids = {child.pid for child in (*self.fleet.children, *ahead)}
        return (
            pids
            | self._alerts.pids
            | self._web.pids
            | ({self._embedded.pid} if self._embedded is not None else set())
        )

    # --- signals and the end -------------------------------------------------------------------------------

    def _obey(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGTERM:
                self._ladder.drain("SIGTERM")
            case signal.SIGINT:
                self._ladder.interrupt("Ctrl-C")
            case signal.SIGHUP if self._bell.at_terminal:
                self._ladder.drain("the terminal was closed")
            case signal.SIGQUIT:
                self._ladder.release("SIGQUIT: released; these jobs will run again")
            case signal.SIGUSR1:
                self._dump_stacks()
            case signal.SIGTSTP:
                self._requests.quiet("quiet: no new jobs until SIGCONT")
            case signal.SIGHUP:
                self._begin(self._watcher.reload("SIGHUP"))
            case signal.SIGUSR2:
                self._begin(self._requests.restart(None, "SIGUSR2"))
            case signal.SIGCONT:
                self._requests.resume()

    def _dump_stacks(self) -> None:
        self._logs.say(own_stacks())
        for child in self.fleet.children:
            child.dump_stacks()

    def _give_up_if_fatal(self) -> None:
        pools = self.fleet.pools
        if pools and all(pool.state == "fatal" and not pool.children for pool in pools):
            self._ladder.drain("every pool is FATAL")

    async def _end_children(self) -> None:
        """After a stop there are none; after an error of our own there may be."""
        for child in list(self.fleet.children):
            child.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_SECONDS):
                while any(self.fleet.children):
                    await self._bell.wait()

    async def _leave(self) -> None:
        self._control.close()
        self._ladder.end()
        await self._end_children()
        if self._ladder.hurried:
            self._web.kill()
        await self._web.close()
        connection = self._link.connection
        if connection is not None:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._upkeep.bury(connection)
                    await remove_record(connection, self.fleet.plan.name, self._name)
            except (BrokerError, TimeoutError) as error:
                reason = str(error) or "it did not answer in time"
                self._logs.say(f"left without telling the broker: {reason}")
        if not self._ladder.hurried:
            await self._alerts.finish(connection, self._reloader.mistake)
        self._link.close()


def is_busy(counts: Counts) -> bool:
    """Whether `--until-empty` waits for this queue."""
    return counts.paused is None and bool(counts.waiting + counts.delayed + counts.active)


def died(counts: Counts) -> int:
    """How many jobs of the queue ever died."""
    return counts.stats.get("dead", 0)
