"""Two supervisors that fire one schedule: each goes by what it saw, which may be old by then."""

from __future__ import annotations

from pipeline.errors import BrokerRefused
from pipeline.job import Options, Outcome, decode_job, encode, encode_record
from pipeline.plan import SchedulePlan
from pipeline.schedule import next_tick
from pipeline.store import keys
from pipeline.store.schedules import NOTHING, Cancel, Schedules
from pipeline.store.store import NewJob
from tests.simulator.workers import keep_of
from tests.simulator.world import Client, Lost, Steps, World

BEAT = SchedulePlan(queue="q", job="job", every=20)
SCHEDULES = Schedules("sim", "q")


def clock(world: World, name: str, ticks: int) -> Client:
    """So many tries. A lost answer is not asked for again: what came of it shows in how far the schedule has come."""
    for number in range(ticks):
        try:
            yield from fire(world, f"{name}.{number}")
        except (Lost, BrokerRefused):
            continue


def fire(world: World, id: str) -> Steps:
    """The next tick, with a job of our own: no id keeps a second one out."""
    chance, standing = world.random, SCHEDULES.standing()
    told = yield world.store.policy().command
    generation = int(told[1] or 0)
    seen = standing.read((yield standing.command)).get("beat")
    if seen is None:
        yield SCHEDULES.arrange(generation, {"beat": BEAT}).command
        return
    overlap, level = chance.choice(("allow", "skip", "replace")), chance.choice((0, 0, 5))
    cancel = NOTHING
    if overlap == "replace" and seen.job:
        record = yield ("HGET", keys.jobs(world.store.queue), seen.job)
        if record is not None:
            priority, outcome = decode_job(record).options.priority, encode(Outcome(0, None, world.time))
            cancel = Cancel(priority, "", keep_of(seen.job.encode()), outcome)
    tick = next_tick(BEAT, seen.after) or 0
    due = chance.choice(("", "", str(tick + 60)))
    record = encode_record(world.time, "job", {"poison": False}, Options(priority=level))
    job = NewJob(id, level, due, "", "", "", "", record)
    call = SCHEDULES.fire(generation, "beat", seen, tick, overlap=overlap, cancel=cancel, job=job)
    answer = yield call.command
    if answer[0] == b"fired":
        world.accepted.add(answer[1])
