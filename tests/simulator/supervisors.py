"""Virtual supervisors: what pipeline/supervisor/upkeep.py does, one command at a time; it decides by the real rules."""

from __future__ import annotations

import math
from typing import Literal

from pipeline.store import keys, overrides
from pipeline.store.store import Held
from pipeline.supervisor.recover import HOST_DIED, Scene, by_lease, move
from tests.simulator.workers import POLICY, Worker
from tests.simulator.world import LEASE, Actor, Client, Lost, Relief, Steps, World


class Supervisor:
    """Keeps workers alive on its host, and cares for what dead, lapsed or standing ones hold."""

    def __init__(self, world: World, host: str) -> None:
        self.world = world
        self.host = host
        self.born = 0
        self.joined: set[str] = set()
        self.ahead = 0.0

    def client(self) -> Client:
        while True:
            try:
                yield from self.watch_the_clock()
                yield from self.bury()
                yield from self.renew()
                yield from self.keep()
                if self.world.random.random() < 0.4:
                    yield from self.care()
            except Lost:
                # The next connection may lead to another clock.
                self.ahead = math.inf

    def ours(self) -> list[str]:
        return [name for name in self.world.boards if name.startswith(self.host + "-")]

    def alive(self) -> list[str]:
        return [name for name in self.ours() if self.world.is_alive(name)]

    def watch_the_clock(self) -> Steps:
        """A server's clock that went back lets old leases hold too long: they are cut."""
        seconds, micros = yield ("TIME",)
        ahead = seconds * 1000 + micros // 1000 - self.world.moment
        if ahead < self.ahead:
            self.world.faults["amended"] += yield self.world.store.amend(LEASE).command
        self.ahead = ahead

    def bury(self) -> Steps:
        for name in self.ours():
            if not self.world.is_alive(name):
                begun = frozenset((id.decode(), lease) for id, lease in self.world.boards[name])
                # A death that was planned is no job's fault.
                scene = Scene(crashed=begun) if self.world.random.random() < 0.8 else Scene(rerun=begun)
                yield from take_back(self.world, name, "dead", scene)
                del self.world.boards[name]

    def renew(self) -> Steps:
        alive = self.alive()
        if not alive:
            return
        gone = yield self.world.store.renew(LEASE, alive).command
        for name in sorted(self.joined.intersection(alive)):
            if name.encode() in gone:
                # It may be parked, and would never notice.
                self.world.actors[name].kill()
        self.joined.update(name for name in alive if name.encode() not in gone)

    def keep(self) -> Steps:
        """Enough workers, and one for jobs that must run alone."""
        queue, alive = self.world.store.queue, self.alive()
        if sum("-alone" not in name for name in alive) < self.world.processes:
            self.start("w", alone=False)
        # It looks now and then, so that others may meet a job that waits to run alone.
        if self.world.random.random() < 0.8 or any("-alone" in name for name in alive):
            return
        if (yield ("HEXISTS", keys.meta(queue), "paused")):
            return
        if (yield ("LLEN", keys.alone(queue))):
            self.start("alone", alone=True)

    def start(self, kind: str, *, alone: bool) -> None:
        self.born += 1
        name = f"{self.host}-{kind}{self.born}"
        self.world.actors[name] = Actor(name, Worker(self.world, name, alone=alone).client())

    def care(self) -> Steps:
        """What need not be done every time: overrides that end, workers that stand still or are lost, retention."""
        yield overrides.read("sim", "q").command
        for name in self.alive():
            if self.world.actors[name].frozen:
                yield from relieve(self.world, name)
        workers = yield ("ZRANGEBYSCORE", keys.workers(self.world.store.queue), "-inf", self.world.time - 1)
        for worker in workers:
            if worker.decode() not in self.ours():
                yield from take_back(self.world, worker.decode(), "lapsed", HOST_DIED)
        yield self.world.store.sweep(
            completed_count=2, expired=0, oldest="", dead_count=2, dead_age="", cancelled_age=""
        ).command


def take_back(world: World, worker: str, mode: Literal["dead", "lapsed"], scene: Scene) -> Steps:
    """What supervisor/recover.py does: expel, decide, reclaim, leave."""
    columns = yield world.store.expel(worker, mode).command
    if columns is None:
        return
    held = by_lease([Held(*row) for row in zip(*columns, strict=True)])
    moves = [move(job, POLICY, scene, world.time) for job in reversed(held)]
    if moves:
        world.faults["reclaimed"] += yield world.store.reclaim(worker, moves).command
    yield world.store.leave(worker).command


def relieve(world: World, worker: str) -> Steps:
    """Take from a worker that stands still what it has not begun."""
    columns = yield world.store.expel(worker, "still").command
    held = by_lease([Held(*row) for row in zip(*(columns or ((), (), (), ())), strict=True)])
    begun = world.boards.get(worker, set())
    moves = [
        move(job, POLICY, Scene(), world.time)
        for job in reversed(held)
        if (job.id, int(job.lease)) not in begun and job.record is not None
    ]
    if moves:
        world.faults["relieved"] += yield Relief(world.store.reclaim(worker, moves).command)
