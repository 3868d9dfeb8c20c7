"""A person at the commands: what pipeline/store/operator.py does, at random."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pipeline.job import Outcome, Runs, decode_job, encode, encode_record
from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.overrides import Pause
from tests.simulator.producers import until_answered
from tests.simulator.workers import keep_of
from tests.simulator.world import Client, Lost, Steps, World


def person(world: World, orders: int) -> Client:
    """So many orders; at the end the queue is not paused."""
    for _ in range(orders):
        try:
            yield from look_on(world, world.random.choice((0, 0, 10)))
            dice = world.random.random()
            if dice < 0.05:
                yield world.store.watch(world.random.choice((20, 300))).command
            elif dice < 0.2:
                yield stop_or_go(world).command
            elif dice < 0.3 or (dice < 0.4 and among(world, "alone")):
                yield from purge(world)
            else:
                yield from with_a_job(world)
        except Lost:
            continue
    yield from until_answered(world.store.resume().command)


def look_on(world: World, patience: int) -> Steps:
    """Do nothing for a while, unless a job is in the state that is the rarest."""
    while patience and not among(world, "alone"):
        patience -= 1
        yield ("HLEN", keys.jobs(world.store.queue))


def stop_or_go(world: World) -> Call[bool]:
    until = world.random.choice((None, world.time + 30, world.time + 100, 0))
    return (
        world.store.resume() if until == 0 else world.store.pause(encode(Pause("person", world.time, until)))
    )


def purge(world: World) -> Steps:
    """Delete what waits, then free what it held; or be gone before that."""
    ids, records, _ = yield world.store.purge(world.random.choice((1, 2, 1000))).command
    ended = [
        (id.decode(), decode_job(record).options.key, keep_of(id))
        for id, record in zip(ids, records, strict=True)
    ]
    held = [(id, key, keep) for id, key, keep in ended if key or keep]
    if held and world.time % 4:
        yield world.store.free(held).command


def with_a_job(world: World) -> Steps:
    """Any job that was ever accepted, whatever became of it; some states are rare, and looked for."""
    chance, store = world.random, world.store
    id = chance.choice(sorted(world.accepted) or [b"1"])
    if chance.random() < 0.5:
        id = chance.choice(among(world, "delayed", "dead", "cancelled") or [id])
    id = chance.choice(among(world, "alone") or [id])
    record = yield ("HGET", keys.jobs(store.queue), id)
    if record is None:
        return
    options = decode_job(record).options
    level, key, text = options.priority, options.key, id.decode()
    runs = encode(Runs(redriven=1)) if world.time % 2 else b""
    call: Call[Any] = chance.choice(
        (
            store.cancel(text, level, key, keep_of(id), encode(Outcome(0, None, world.time))),
            store.redrive([(text, level, key, runs)]),
            store.hasten(text, level),
            store.remove([(text, level, key, keep_of(id))]),
            change(world, text, record),
        )
    )
    # Between the look and the deed others do a lot, above all what the deed does not know of.
    if chance.random() < 0.2:
        yield change(world, text, record).command
    yield call.command


def change(world: World, id: str, seen: bytes) -> Call[Any]:
    """Another payload, perhaps another priority or another time."""
    chance, job = world.random, decode_job(seen)
    was, level = job.options.priority, chance.choice((0, 5, 7, job.options.priority))
    due = chance.choice(("", "", "front", "+0", "+20", "+300", str(world.time + 50)))
    data = {**job.data, "changed": world.time}
    record = encode_record(job.enqueued_at, job.name, data, replace(job.options, priority=level))
    return world.store.change(id, seen, record, was, level, due)


def among(world: World, *states: str) -> list[bytes]:
    return sorted(id for id, place in world.view.places.items() if place in states)
