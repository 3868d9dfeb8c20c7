"""Those who put jobs in, and the editor whose file says whether the queue is there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from pipeline.errors import BrokerRefused
from pipeline.job import Options, encode_record
from pipeline.store.store import NewJob
from pipeline.store.wire import Command
from tests.simulator.places import Violation
from tests.simulator.world import Client, Lost, Steps, World

WINDOW = 200


def until_answered(command: Command) -> Steps:
    """Repeat a command that may be repeated until its answer arrives."""
    while True:
        try:
            return (yield command)
        except Lost:
            continue


class Producer:
    """Puts jobs in by every way there is; a call without an answer is repeated with its number."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.number = 0
        self.generation = ""

    def client(self, calls: int) -> Client:
        for call in range(calls):
            if self.world.random.random() < 0.5:
                yield from self.alike(call)
            else:
                yield from self.own(call)

    def record(self, call: int, level: int, key: str) -> bytes:
        # A poisonous job kills the process that runs it.
        data = {"call": call, "poison": self.world.random.random() < self.world.poison}
        return encode_record(self.world.time, "job", data, Options(priority=level, key=key))

    def alike(self, call: int) -> Steps:
        store, chance = self.world.store, self.world.random
        level = chance.choice((0, 0, 5))
        records = [self.record(call, level, "")] * chance.choice((1, 1, 1, 3))
        first = yield from self.put(
            lambda: store.enqueue(self.name, self.number, self.generation, level, records).command
        )
        if first is not None:
            self.world.accepted.update(b"%d" % (first + place) for place in range(len(records)))

    def own(self, call: int) -> Steps:
        store, chance = self.world.store, self.world.random
        id, level = chance.choice(("", f"{self.name}-{call}", "shared", "shared")), chance.choice((0, 0, 5))
        due, key = chance.choice(("", "", "+20", "+300")), chance.choice(("", "u", "u", "k", "d"))
        # A key until the job is done stands in its record, for whoever ends the job to free it.
        record = self.record(call, level, key if key == "u" else "")
        mode: Literal["", "debounce"] = "debounce" if key == "d" else ""
        due, window = ("+100", 200) if mode else (due, WINDOW if key == "k" else "")
        lane = chance.choice(("", "a", "a", "b")) if self.world.lanes else ""
        job = NewJob(id, level, due, key, window, mode, lane, record)
        answer = yield from self.put(
            lambda: store.enqueue_each(self.name, self.number, self.generation, [job]).command
        )
        if answer is not None:
            self.world.accepted.add(answer[0])

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
            if told[3] is not None:
                self.world.faults["removed"] += 1
                return None
            self.generation = (told[1] or b"").decode()

    def answer(self, command: Command) -> Steps:
        repeated = False
        while True:
            try:
                reply = yield command
            except Lost:
                repeated = True
                continue
            # One that is repeated may have been taken before the queue was removed.
            if not repeated and self.world.view.removed:
                raise Violation("a removed queue took a job")
            return reply


def editor(world: World, edits: int, first: int = 1) -> Client:
    """Remove the queue from the file, put it back, limit it: a generation each time. At the end it is there."""
    chance = world.random
    for generation in range(first, first + edits):
        gone, limit = chance.random() < 0.15, chance.choice(("", "", 1, 3))
        rate = chance.choice(("", "", "1 40", "3 200"))
        call = (
            world.store.retract(generation)
            if gone
            else world.store.publish(generation, b"{}", limit, rate, world.lanes)
        )
        with suppress(Lost):
            yield call.command
        # Others do a lot between two edits.
        for _ in range(chance.choice((0, 2, 8))):
            yield from until_answered(world.store.policy().command)
    limit, rate = chance.choice((("", ""), (2, ""), ("", "2 50")))
    yield from until_answered(world.store.publish(first + edits, b"{}", limit, rate, world.lanes).command)
    if world.lanes:
        yield from until_answered(world.store.open_lanes(b"0").command)
