"""The virtual clients: producers, workers, supervisors, an editor and a person, each as a generator of commands.

A worker here does what pipeline/worker/pool.py does, one command at a time and without real time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from pipeline.errors import BrokerRefused
from pipeline.job import Options, Outcome, Runs, decode_job, decode_runs, encode, encode_record
from pipeline.store import keys, overrides
from pipeline.store.overrides import Pause
from pipeline.store.store import Held, Move, NewJob
from pipeline.store.wire import Command, Reply
from tests.simulator.world import LEASE, Actor, Client, Lost, Steps, Violation, World

CONCURRENCY = 2
ATTEMPTS = 3


class Producer:
    """Puts jobs in by every way there is; a call without an answer is repeated with its number."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.number = 0
        self.generation = ""

    def client(self, calls: int) -> Client:
        world, chance = self.world, self.world.random
        for call in range(calls):
            level = chance.choice((0, 0, 5))
            record = encode_record(
                world.time, "job", {"from": self.name, "call": call}, Options(priority=level)
            )
            if chance.random() < 0.6:
                ids = yield from self.alike(level, [record] * chance.choice((1, 1, 1, 3)))
            else:
                own = chance.choice(("", f"{self.name}-{call}", "shared"))
                due = chance.choice(("", "", "+20", "+300"))
                ids = yield from self.own(NewJob(own, level, due, chance.choice(("", "k")), 200, record))
            world.accepted.update(ids)

    def alike(self, level: int, records: list[bytes]) -> Steps:
        store = self.world.store
        first = yield from self.put(
            lambda: store.enqueue(self.name, self.number, self.generation, level, records).command
        )
        return [] if first is None else [str(first + place) for place in range(len(records))]

    def own(self, job: NewJob) -> Steps:
        store = self.world.store
        answer = yield from self.put(
            lambda: store.enqueue_each(self.name, self.number, self.generation, [job]).command
        )
        return [] if answer is None else [answer[0].decode()]

    def put(self, call: Callable[[], Command]) -> Steps:
        """The answer to a call, under the policy that runs; None when the queue was removed."""
        while True:
            self.number += 1
            try:
                return (yield from self.answer(call()))
            except BrokerRefused as error:
                if "POLICY" not in error.message:
                    raise Violation(error.message) from None
            told = yield from until_answered(self.world.store.policy().command)
            _, generation, _, *removed = told
            if removed:
                self.world.faults["removed"] += 1
                return None
            self.generation = generation.decode()

    def answer(self, command: Command) -> Steps:
        repeated = False
        while True:
            try:
                reply = yield command
            except Lost:
                repeated = True
                continue
            # One that is repeated may have been taken before the queue was removed.
            if not repeated and self.world.call("HEXISTS", keys.meta(self.world.store.queue), "removed"):
                raise Violation("a removed queue took a job")
            return reply


def editor(world: World, edits: int) -> Client:
    """Remove the queue from the file and put it back, a generation each time. At the end it is there."""
    for generation in range(1, edits + 1):
        gone = world.random.random() < 0.5
        call = world.store.retract(generation) if gone else world.store.publish(generation, b"{}", "")
        with suppress(Lost):
            yield call.command
        # Others do a lot between two edits.
        for _ in range(world.random.choice((0, 5, 20))):
            yield from until_answered(world.store.policy().command)
    yield from until_answered(world.store.publish(edits + 1, b"{}", "").command)


def priority(record: bytes | None) -> int:
    """The level at which a job waits, as its record says."""
    return decode_job(record).options.priority if record else 0


def until_answered(command: Command) -> Steps:
    """Repeat a command that may be repeated until its answer arrives."""
    while True:
        try:
            return (yield command)
        except Lost:
            continue


class Worker:
    """The state of one virtual worker process."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.number = 0
        self.held: dict[bytes, int] = {}
        self.buffer: list[Held] = []
        self.running: dict[bytes, Held] = {}
        self.ended: list[Move] = []
        self.flight: list[Move] | None = None
        self.wake_at = math.inf
        world.begun[name] = set()

    def client(self) -> Client:
        world, sure, parked = self.world, True, False
        yield from until_answered(world.store.join(self.name, LEASE).command)
        while True:
            try:
                me = world.actors.get(self.name)
                if me is not None and me.stood_still:
                    # It notices by its clock, and may have lost what it had not begun.
                    me.stood_still = sure = False
                if not sure:
                    yield from self.ask_what_is_held()
                    sure, parked = True, False
                self.work()
                if parked and not self.ended and world.time < self.wake_at:
                    letters = yield ("LPOP", keys.inbox(world.store.queue, self.name), 100)
                    for letter in letters or []:
                        parked = False
                        self.receive(letter)
                else:
                    parked = yield from self.turn()
            except Lost:
                sure = False
            except BrokerRefused as error:
                if "GONE" in error.message:
                    world.faults["gone"] += 1
                    world.begun[self.name].clear()
                    return
                raise Violation(error.message) from None

    def turn(self) -> Steps:
        self.number += 1
        self.flight, self.ended = self.ended, []
        quick = [
            move for move in self.flight if move.move == "completed" and self.world.random.random() < 0.7
        ]
        want = CONCURRENCY + self.world.random.choice((0, 0, 2)) - len(self.held) + len(self.flight)
        reply = yield self.world.store.turn(
            self.name,
            self.number,
            want=max(want, 0),
            park=len(self.held) - len(self.flight) < CONCURRENCY,
            source="",
            keep=-1,
            ids=[move.id for move in quick],
            leases=[move.lease for move in quick],
            outcomes=[part for move in quick for part in (move.id, move.outcome)],
            moves=[move for move in self.flight if move not in quick],
            counters=[],
        )
        self.look_around(reply)
        _, refused, due, lease, ids, records, runs, inbox = reply
        self.world.faults["refused"] += len(refused)
        self.forget(self.flight)
        self.flight = None
        for id, record, earlier in zip(ids, records, runs or [None] * len(ids), strict=True):
            self.take(Held(id, str(lease).encode(), record, earlier))
        for letter in inbox:
            self.receive(letter)
        self.wake_at = reply[0] + due if due is not None and due >= 0 else math.inf
        return due is not None

    def look_around(self, reply: Reply) -> None:
        """Right after a turn the broker must see this worker as it sees itself."""
        queue = self.world.store.queue
        if self.world.call("LLEN", keys.inbox(queue, self.name)):
            raise Violation("a turn left something in the inbox")
        if reply[2] is None and self.world.call("SISMEMBER", keys.idle(queue), self.name):
            raise Violation("a worker that is not parked stands in idle")

    def ask_what_is_held(self) -> Steps:
        self.number += 1
        _, *columns = yield self.world.store.hold(self.name, self.number).command
        ours = {row[0]: Held(*row) for row in sorted(zip(*columns, strict=True))}
        leases = {id: int(job.lease) for id, job in ours.items()}
        if self.flight is not None:
            self.forget(self.flight)
            again = [move for move in self.flight if leases.get(move.id) == move.lease]
            self.ended, self.flight = again + self.ended, None
            self.held.update({move.id: move.lease for move in again})
        gone = [job for job in self.buffer if leases.get(job.id) != int(job.lease)]
        self.buffer = [job for job in self.buffer if job not in gone]
        for job in gone:
            del self.held[job.id]
        for id, job in ours.items():
            if self.held.get(id) != leases[id]:
                self.take(job)

    def take(self, job: Held) -> None:
        if job.record is None:
            raise Violation(f"job {job.id!r} was leased without a record")
        self.held[job.id] = int(job.lease)
        self.buffer.append(job)

    def receive(self, letter: bytes) -> None:
        if letter:
            lease, id, record = letter.split(b" ", 2)
            self.take(Held(id, lease, record, None))

    def forget(self, moves: list[Move]) -> None:
        for move in moves:
            self.held.pop(move.id, None)

    def work(self) -> None:
        """Begin what there is room for, and end some of what runs."""
        while self.buffer and len(self.running) < CONCURRENCY:
            job = self.buffer.pop(0)
            self.running[job.id] = job
            self.world.begun[self.name].add((job.id, int(job.lease)))
            self.world.runs[job.id.decode()] += 1
        for job in list(self.running.values()):
            if self.world.random.random() < 0.6:
                del self.running[job.id]
                self.world.begun[self.name].discard((job.id, int(job.lease)))
                self.ended.append(self.verdict(job))

    def verdict(self, job: Held) -> Move:
        runs = decode_runs(job.runs) if job.runs else Runs()
        spent = Runs(runs.attempts + 1, runs.crashes)
        outcome = encode(Outcome(spent.attempts, None, self.world.time))
        fate = self.world.random.choice(("completed",) * 6 + ("fail", "fail", "release", "dead"))
        if fate == "completed":
            return Move("completed", job.id, int(job.lease), outcome=outcome)
        if fate == "release":
            return Move("front", job.id, int(job.lease), priority(job.record))
        if fate == "dead" or spent.attempts >= ATTEMPTS:
            return Move("dead", job.id, int(job.lease), runs=encode(spent), outcome=outcome)
        delay = self.world.random.choice((0, 30))
        return Move(
            "delayed" if delay else "back", job.id, int(job.lease), priority(job.record), delay, encode(spent)
        )


def supervisor(world: World, host: str) -> Client:
    """Renew our live workers, take back what dead, lapsed or standing ones hold, start new ones, end what people
    did for a while."""
    born, joined = 0, set[str]()
    while True:
        try:
            ours = [name for name in world.begun if name.startswith(host)]
            alive = [name for name in ours if (actor := world.actors.get(name)) and not actor.ended]
            for name in [name for name in ours if name not in alive]:
                yield from take_back(world, name, "dead")
                del world.begun[name]
            if len(alive) < 2:
                born += 1
                name = f"{host}-w{born}-{world.random.getrandbits(24):x}"
                world.actors[name] = Actor(name, Worker(world, name).client())
                continue
            gone = yield world.store.renew(LEASE, alive).command
            lost = {name for name in joined.intersection(alive) if name.encode() in gone}
            joined.update(name for name in alive if name.encode() not in gone)
            for name in lost:
                # It may be parked, and would never notice.
                world.actors[name].kill()
            yield overrides.read("sim", "q").command
            for name in alive:
                if (actor := world.actors.get(name)) and actor.frozen:
                    yield from relieve(world, name)
            workers = yield ("ZRANGEBYSCORE", keys.workers(world.store.queue), "-inf", world.time - 1)
            for worker in workers:
                yield from take_back(world, worker.decode(), "lapsed")
        except Lost:
            continue


def take_back(world: World, worker: str, mode: Literal["dead", "lapsed"]) -> Steps:
    """What supervisor/recover.py does: expel, decide, reclaim, leave."""
    columns = yield world.store.expel(worker, mode).command
    if columns is None:
        return
    begun = world.begun.get(worker, set())
    moves = []
    for row in sorted(zip(*columns, strict=True)):
        job = Held(*row)
        runs = decode_runs(job.runs) if job.runs else Runs()
        crashed = encode(runs.crashed()) if (job.id, int(job.lease)) in begun else b""
        moves.append(Move("front", job.id, int(job.lease), priority(job.record), runs=crashed))
    if moves:
        moved = yield world.store.reclaim(worker, moves).command
        world.faults["reclaimed"] += moved
    yield world.store.leave(worker).command


def relieve(world: World, worker: str) -> Steps:
    """Take from a worker that stands still what it has not begun."""
    columns = yield world.store.expel(worker, "still").command
    rows = [Held(*row) for row in sorted(zip(*(columns or ((), (), (), ())), strict=True))]
    begun = world.begun.get(worker, set())
    moves = [
        Move("front", job.id, int(job.lease), priority(job.record))
        for job in rows
        if (job.id, int(job.lease)) not in begun
    ]
    if moves:
        world.faults["relieved"] += yield world.store.reclaim(worker, moves).command


def person(world: World, orders: int) -> Client:
    """Pause, resume, cancel, redrive, hasten and remove, at random."""
    chance, store = world.random, world.store
    for _ in range(orders):
        id = chance.choice(sorted(world.accepted) or ["1"])
        record = yield from until_answered(("HGET", keys.jobs(store.queue), id))
        if record is None:
            continue
        level = priority(record)
        outcome = encode(Outcome(0, None, world.time))
        call = chance.choice(
            (
                store.pause(encode(Pause("person", world.time, chance.choice((None, world.time + 100))))),
                store.pause(encode(Pause("person", world.time, world.time + 30))),
                store.resume(),
                store.resume(),
                store.cancel(id, level, "", "", outcome),
                store.redrive([(id, level, "")]),
                store.hasten(id, level),
            )
        )
        try:
            yield call.command
        except Lost:
            continue
    yield from until_answered(store.resume().command)
