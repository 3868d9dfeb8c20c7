"""When the schedules of a project fire next, and what came of them so far."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from pipeline.config.suggest import did_you_mean
from pipeline.errors import UnknownSchedule
from pipeline.job import encode
from pipeline.plan import Plan, SchedulePlan
from pipeline.schedule import jittered, next_tick, rhythm, when
from pipeline.store.call import Call, run
from pipeline.store.overrides import Pause
from pipeline.store.reader import Reader
from pipeline.store.schedules import Schedules, Standing
from pipeline.store.wire import Connection, Reply


class ScheduleState(Struct, frozen=True, kw_only=True):
    """A schedule of the file. Times are ms since 1970. `next_at` is None when it is paused, has ended, or no supervisor
    has applied it yet (`applied`); one that lies behind is due. `last_at` is the tick that last made a job, `last_job`
    the id of that, and `last_state` what became of it, None when it is not kept.

    `skipped_total` are ticks whose job before had not ended, or whose deduplication key was held; `missed_total` those
    at which nothing ran, and that got no job later.
    """

    queue: str
    job: str
    when: str
    applied: bool
    next_at: int | None
    last_at: int | None
    last_job: str | None
    last_state: str | None
    fired_total: int
    skipped_total: int
    missed_total: int
    paused: bool
    paused_by: str | None
    paused_at: int | None


def one_of(plan: Plan, name: str) -> SchedulePlan:
    """The schedule of that name. Raises UnknownSchedule."""
    if name not in plan.schedules:
        raise UnknownSchedule(f"there is no schedule {name!r}", did_you_mean(name, plan.schedules))
    return plan.schedules[name]


def halting(plan: Plan, name: str, by: str, now: int, *, paused: bool) -> Call[bool]:
    """Let a schedule stand still, or go on; the result is whether that changes anything. `by` is who, `now` the server's
    time. Raises UnknownSchedule, here or when it is read, for one that no supervisor has applied."""
    standing = Schedules(plan.name, one_of(plan, name).queue)
    call = standing.pause(name, encode(Pause(by, now))) if paused else standing.resume(name)

    def read(reply: Reply) -> bool:
        changed = call.read(reply)
        if changed is None:
            raise UnknownSchedule(
                f"no supervisor has applied the schedule {name!r} yet", "pipeline reload, or pipeline run"
            )
        return changed

    return Call(call.command, read)


async def look_at_schedules(connection: Connection, plan: Plan) -> dict[str, ScheduleState]:
    """The schedules of the file, by name. Without any nothing is asked. Raises BrokerError."""
    queues = list(dict.fromkeys(one.queue for one in plan.schedules.values()))
    found = await asyncio.gather(
        *(run(connection, Schedules(plan.name, queue).standing()) for queue in queues)
    )
    standing = dict(zip(queues, found, strict=True))
    states = await asyncio.gather(
        *(_states(connection, plan.name, queue, standing[queue]) for queue in queues)
    )
    became = dict(zip(queues, states, strict=True))
    return {
        name: schedule_state(name, one, standing[one.queue].get(name), became[one.queue])
        for name, one in plan.schedules.items()
    }


async def _states(
    connection: Connection, project: str, queue: str, standing: Mapping[str, Standing]
) -> dict[str, str]:
    """What became of the last job of each schedule, by its id."""
    ids = sorted({one.job for one in standing.values() if one.job})
    jobs = await run(connection, Reader(project, queue).show(ids)) if ids else []
    return {job.id: job.state for job in jobs if job is not None}


def schedule_state(
    name: str, plan: SchedulePlan, seen: Standing | None, became: Mapping[str, str]
) -> ScheduleState:
    """One schedule, and what the broker knows of it; one with another rhythm there is not applied yet."""
    applied = seen is not None and seen.rhythm == rhythm(plan)
    known = seen if seen is not None and applied else Standing("", 0)
    return ScheduleState(
        queue=plan.queue,
        job=plan.job,
        when=when(plan),
        applied=applied,
        next_at=_next(name, plan, known) if applied else None,
        last_at=known.ran,
        last_job=known.job or None,
        last_state=became.get(known.job),
        fired_total=known.fired,
        skipped_total=known.skipped,
        missed_total=known.missed,
        paused=known.pause is not None,
        paused_by=known.pause.by if known.pause else None,
        paused_at=known.pause.at if known.pause else None,
    )


def _next(name: str, plan: SchedulePlan, seen: Standing) -> int | None:
    if seen.pause is not None or (plan.limit is not None and seen.fired >= plan.limit):
        return None
    tick = next_tick(plan, seen.after)
    return None if tick is None else jittered(name, plan, tick)
