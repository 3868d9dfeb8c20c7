"""Fires the schedules of the plan that runs. Every supervisor of the newest generation tries; the broker lets one.

While nothing is due nothing is asked: when the next tick comes is known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from pipeline.errors import BrokerUnavailable, PipelineError
from pipeline.plan import Plan, SchedulePlan
from pipeline.producer import Wanted, new_job
from pipeline.schedule import Step, jittered, next_tick, rhythm, steps
from pipeline.store.bulk import cancelled
from pipeline.store.call import StalePolicy, run
from pipeline.store.reader import Reader
from pipeline.store.schedules import NOTHING, Cancel, Schedules, Standing
from pipeline.store.store import NewJob
from pipeline.store.wire import Connection
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.leases import Leases
from pipeline.supervisor.link import Link
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.publish import Publisher

LONGEST_PAUSE = 1.0
"""Seconds until the next look at ourselves: whether another plan runs, or the broker is another one."""
SHORTEST_PAUSE = 0.01
TRY_AGAIN = 1_000
AHEAD = 60_000
"""A schedule that has come further than the time by so many ms did so under a clock that went back since."""
NEVER = Standing("", 0)
ENDED = ("completed", "dead", "cancelled")


@dataclass
class Watched:
    """A schedule, and how far it has come as far as is known here. `due` is when it is looked at next, ms since 1970;
    None is never."""

    name: str
    plan: SchedulePlan
    seen: Standing | None = None
    due: int | None = None
    trouble: str = ""

    def learn(self, seen: Standing | None, now: int) -> None:
        """This is how far it has come."""
        self.seen = seen if seen is not None and seen.rhythm == rhythm(self.plan) else None
        self.due = self._next(now)

    def _next(self, now: int) -> int | None:
        if self.seen is None or self.is_full:
            return None
        if self.seen.pause is not None:
            # Somebody may have let it go on by then.
            return next_tick(self.plan, now)
        return now if self.seen.after > now + AHEAD else next_tick(self.plan, self.seen.after)

    @property
    def is_full(self) -> bool:
        """Whether it has made all the jobs that it may."""
        return self.seen is not None and self.plan.limit is not None and self.seen.fired >= self.plan.limit


class Scheduler:
    """Keeps in mind how far each schedule has come, for as long as connection and generation are the same."""

    def __init__(
        self,
        fleet: Fleet,
        publisher: Publisher,
        leases: Leases,
        link: Link,
        logs: Logs,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._fleet = fleet
        self._publisher = publisher
        self._leases = leases
        self._link = link
        self._logs = logs
        self._is_stopping = is_stopping
        self._learned: tuple[Connection, Plan, int] | None = None
        self._watched: list[Watched] = []

    async def run(self) -> None:
        """Fire for as long as it runs."""
        while True:
            try:
                pause = await self._round()
            except BrokerUnavailable:
                # It is told elsewhere, and what came of the last word is asked on the next connection.
                self._learned, pause = None, LONGEST_PAUSE
            await asyncio.sleep(pause)

    async def _round(self) -> float:
        """Fire what is due. The result is for how many seconds nothing is."""
        connection, plan, published = self._link.connection, self._fleet.plan, self._publisher.published
        if connection is None or published.behind or not plan.schedules or self._is_stopping():
            self._learned = None
            return LONGEST_PAUSE
        if self._learned != (connection, plan, published.generation):
            self._watched = [Watched(name, schedule) for name, schedule in plan.schedules.items()]
            await self._learn(connection, {schedule.queue for schedule in plan.schedules.values()})
            self._learned = (connection, plan, published.generation)
        if due := [one for one in self._watched if one.due is not None and one.due <= self._leases.server_ms]:
            # Not while another generation is on its way: what is known here would be that of the one before.
            async with self._publisher.changing:
                if self._learned != (
                    self._link.connection,
                    self._fleet.plan,
                    self._publisher.published.generation,
                ):
                    return 0
                for one in due:
                    await self._try(connection, one)
        nearest = min((one.due for one in self._watched if one.due is not None), default=None)
        if nearest is None:
            return LONGEST_PAUSE
        return min(max((nearest - self._leases.server_ms) / 1000, SHORTEST_PAUSE), LONGEST_PAUSE)

    async def _learn(self, connection: Connection, queues: set[str]) -> None:
        """Ask how far the schedules of these queues have come. Raises BrokerError."""
        project = self._fleet.plan.name
        found = await asyncio.gather(
            *(run(connection, Schedules(project, queue).standing()) for queue in queues)
        )
        standing = dict(zip(queues, found, strict=True))
        for one in self._watched:
            if one.plan.queue in standing:
                one.learn(standing[one.plan.queue].get(one.name), self._leases.server_ms)

    async def _try(self, connection: Connection, one: Watched) -> None:
        try:
            await self._go_on(connection, one)
            one.trouble = ""
        except StalePolicy:
            # A newer generation comes in; whoever applied it goes on.
            one.due = self._leases.server_ms + TRY_AGAIN
        except BrokerUnavailable:
            raise
        except PipelineError as error:
            one.due = self._leases.server_ms + TRY_AGAIN
            if error.message != one.trouble:
                one.trouble = error.message
                self._logs.say(f"schedule {one.name} cannot fire: {error.message}")

    async def _go_on(self, connection: Connection, one: Watched) -> None:
        """Bring a schedule to the present. Raises PipelineError."""
        now, seen = self._leases.server_ms, one.seen
        if seen is None or seen.pause is not None:
            await self._learn(connection, {one.plan.queue})
            return
        if seen.after > now + AHEAD:
            self._logs.say(f"schedule {one.name} was ahead of the time: the broker's clock went back")
            await self._step(connection, one, Step(now, 0, fires=False))
            return
        for step in steps(one.plan, seen.after, now):
            if one.is_full or not await self._step(connection, one, step):
                break

    async def _step(self, connection: Connection, one: Watched, step: Step) -> bool:
        """Go one step on. False: somebody else was here before, or it is too early. Raises PipelineError."""
        seen, schedules = one.seen or NEVER, Schedules(self._fleet.plan.name, one.plan.queue)
        word, id = await run(
            connection,
            schedules.fire(
                self._publisher.published.generation,
                one.name,
                seen,
                step.tick,
                missed=step.missed,
                overlap=one.plan.overlap,
                cancel=await self._cancel(connection, one, seen) if step.fires else NOTHING,
                job=self._job(one, step.tick) if step.fires else None,
            ),
        )
        if word == "passed":
            await self._learn(connection, {one.plan.queue})
        if word in ("passed", "early"):
            return False
        one.learn(went_on(seen, step, word, id), self._leases.server_ms)
        if step.missed:
            self._logs.say(f"schedule {one.name}: {step.missed:,} missed while nothing ran")
        return True

    def _job(self, one: Watched, tick: int) -> NewJob:
        """The job of a tick, as a producer would enqueue it. Raises EnqueueError."""
        plan, now, begin = one.plan, self._leases.server_ms, jittered(one.name, one.plan, tick)
        at = datetime.fromtimestamp(begin / 1000, UTC) if begin > now else None
        wanted = Wanted(plan.job, plan.data, f"{one.name}:{tick}", at=at if plan.jitter else None)
        return new_job(self._fleet.plan.queues[plan.queue], now, wanted)

    async def _cancel(self, connection: Connection, one: Watched, seen: Standing) -> Cancel:
        """How the job before is cancelled, if it is to be and has not ended. Raises BrokerError."""
        if one.plan.overlap != "replace" or not seen.job:
            return NOTHING
        policy = self._fleet.plan.queues[one.plan.queue]
        [job] = await run(connection, Reader(self._fleet.plan.name, one.plan.queue).show([seen.job], policy))
        if job is None or job.state in ENDED:
            return NOTHING
        return Cancel(*cancelled(job, policy, self._leases.server_ms))


def went_on(seen: Standing, step: Step, word: str, id: str) -> Standing:
    """How far a schedule has come after a step that the broker answered with this word and id."""
    fired = word == "fired"
    return replace(
        seen,
        after=step.tick,
        fired=seen.fired + fired,
        skipped=seen.skipped + (word == "skipped"),
        missed=seen.missed + step.missed,
        ran=step.tick if fired else seen.ran,
        job=id if fired else seen.job,
    )
