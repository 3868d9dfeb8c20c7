"""The parts of a world that is small enough to go through whole: its clients, and a state of it as a value."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from pipeline.job import encode_record
from pipeline.store.wire import Command, Reply
from pipeline.supervisor.recover import Scene
from tests.simulator.places import View
from tests.simulator.producers import Producer
from tests.simulator.supervisors import take_back
from tests.simulator.world import START, Client, Lost, World

Choice = TypeVar("Choice")
Board = frozenset[tuple[bytes, int]]
JOBS = 2


class Budget(NamedTuple):
    """What may still befall somebody."""

    crashes: int = 1
    expiries: int = 1
    losses: int = 1


class Answer(NamedTuple):
    """What a client was told (an error: refused; None of a reply that was lost), and what was to be seen then."""

    lost: bool
    reply: Reply
    view: View
    time: int


class Standing(NamedTuple):
    """A client between two steps. `answers` bring it back; `state` tells it from others of its kind."""

    answers: tuple[Answer, ...]
    command: Command | None
    state: str


class Node(NamedTuple):
    """A state of the small world. `trail` is how it was come to."""

    server: Any
    model: Any
    accepted: frozenset[bytes]
    view: View
    time: int
    clients: dict[str, Standing]
    boards: dict[str, Board]
    limbo: tuple[tuple[str, Command], ...]
    budget: Budget
    trail: tuple[str, ...]


class NoChance:
    """Instead of chance: a worker completes what it begins, at once, and takes no more than it has room for."""

    def random(self) -> float:
        return 0.5

    def choice(self, among: tuple[Choice, ...]) -> Choice:
        return among[0]


def told_since(answers: tuple[Answer, ...]) -> list[Reply]:
    """What a rescuer knows: it begins anew after an answer that was lost."""
    begun = max((place + 1 for place, answer in enumerate(answers) if answer.lost), default=0)
    return [answer.reply for answer in answers[begun:]]


def produce(producer: Producer) -> Client:
    """Two jobs, one call after another."""
    world = producer.world
    record = encode_record(START, "job", {"poison": False})
    for _ in range(JOBS):
        producer.number += 1
        call = world.store.enqueue(producer.name, producer.number, "", 0, [record])
        first = yield from producer.answer(call.command)
        world.accepted.add(b"%d" % first)


def rescue(world: World, worker: str, mode: Any, scene: Scene) -> Client:
    """What a supervisor does about one worker, until it is done."""
    while True:
        try:
            yield from take_back(world, worker, mode, scene)
        except Lost:
            continue
        return
