"""A world of virtual clients on a real server.

The server runs commands one after another, so choosing who sends the next command is choosing an interleaving:
a seed gives the same history every time. Time is a key that only the world moves.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from pipeline.errors import BrokerRefused
from pipeline.store.store import Store
from pipeline.store.wire import Command, Reply
from tests.simulator import lanes
from tests.simulator.model import Model
from tests.simulator.places import Places, View, Violation, view
from tests.simulator.server import Server

LEASE = 500
START = 4_000_000_000_000
VOLATILE = [
    "call:p1",
    "call:p2",
    "dedup:k",
    "dedup:u",
    "dedup:d",
    "starts",
    "started",
    "events",
    "lane_starts:a",
    "lane_starts:b",
]

Client = Generator[Command, Reply, None]
Steps = Generator[Command, Reply, Any]


class Lost(Exception):
    """No answer came: the command was carried out, or not, or will be later."""


class Event(NamedTuple):
    """A step of a history: a command and its fate, or something that befell somebody."""

    time: int
    who: str
    fate: str
    command: Command
    reply: Reply


class Relief(tuple[Any, ...]):
    """A `reclaim` that takes from a worker that lives: another move, by the same script."""

    __slots__ = ()


class Actor:
    """One client and the command that it sends next. A frozen one sends nothing until it is thawed."""

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self._client = client
        self.frozen = self.ended = False
        self.command: Command | None = next(client)

    def answer(self, reply: Reply) -> None:
        self._resume(lambda: self._client.send(reply))

    def lose(self) -> None:
        self._resume(lambda: self._client.throw(Lost()))

    def refuse(self, error: Exception) -> None:
        self._resume(lambda: self._client.throw(error))

    def kill(self) -> None:
        self.ended = True
        self._client.close()

    def _resume(self, step: Callable[[], Command]) -> None:
        try:
            self.command = step()
        except StopIteration:
            self.ended = True


class World:
    """The server, the clocks, and what has been promised to whom.

    `time` is the server's clock, which may jump; `moment` only goes on, as the clients' own clocks do.
    `boards` tells what each worker process has begun, as the memory shared with its supervisor does.
    """

    def __init__(self, server: Server, seed: int, *, remember: int | None = 60) -> None:
        self.random = random.Random(seed)
        self.server = server
        server.begin(VOLATILE)
        self.time = self.moment = START
        self.store = Store("sim", "q")
        self.actors: dict[str, Actor] = {}
        self.limbo: list[tuple[str, Command]] = []
        self.trouble = 0.0
        self.lateness = 0.2
        self.pace = 0.6
        self.leisure = 0.0
        self.poison = 0.0
        self.processes = 2
        self.keep = -1
        # By a die of its own: other histories stay what they were.
        self.opened = False
        self.lanes = random.Random(f"lanes {seed}").choice(lanes.RULES)
        self.boards: dict[str, set[tuple[bytes, int]]] = {}
        self.standing: set[str] = set()
        self.doomed: list[str] = []
        self.epoch = 0
        self.restored: Places = {}
        self.accepted: set[bytes] = set()
        self.faults: Counter[str] = Counter()
        self.model = Model()
        self.log: deque[Event] = deque(maxlen=remember)
        self._copied: Any = None
        self._look: Reply = None
        self.see()

    def is_alive(self, worker: str) -> bool:
        return (actor := self.actors.get(worker)) is not None and not actor.ended

    # --- steps ---------------------------------------------------------------------------------------------

    def pass_time(self, ms: int) -> None:
        self.time += ms
        self.moment += ms

    def step(self) -> None:
        """Let one client's command meet its fate."""
        if self.doomed and self.random.random() < 0.5:
            self.kill(self.doomed.pop(), "poisoned")
        self._bring_late_ones()
        able = [actor for actor in self.actors.values() if not (actor.frozen or actor.ended)]
        if not able:
            return
        actor = self.random.choice(able)
        if actor.name[0] == "p" and self.random.random() < self.leisure:
            return
        self.pass_time(self.random.choice((0, 0, 1, 2, 5)))
        assert actor.command is not None
        if self.trouble and self.random.random() < self.trouble:
            self._lose(actor, actor.command)
            return
        reply = self.carry_out(actor.name, actor.command)
        if isinstance(reply, Exception):
            actor.refuse(reply)
        else:
            actor.answer(reply)

    def carry_out(self, who: str, command: Command, fate: str = "") -> Reply:
        """Run a command on the server, at the world's time, and look. An error is an answer, too."""
        if command[0] == "TIME":
            return [self.time // 1000, self.time % 1000 * 1000]
        if command[0] == "LPOP" and not self.view.letters.get(who.encode()):
            return None
        before = self.view
        reply, look = self.server.run(command, self.time)
        self.log.append(Event(self.time, who, fate, command, reply))
        self.see(look)
        if self.view.generation < before.generation:
            raise Violation("an older edit counts, and not the last one")
        self.model.under(self.view.rate, self.time)
        if command[0] == b"EVALSHA":
            name = "relieve" if isinstance(command, Relief) else self.server.names[command[1]]
            self.model.follow(name, command[3:], reply, self.view.places, before, self.time)
            lapsed = name == "expel" and command[5] == "lapsed" and reply is not None
            if lapsed and before.workers[command[4].encode()] > self.time:
                raise Violation(f"{command[4]} was taken for gone, and its lease holds")
        elif isinstance(reply, Exception):
            raise Violation(str(reply))
        self._check_lanes(command)
        self._beside_the_parked()
        return reply

    def _check_lanes(self, command: Command) -> None:
        """Whether nobody stays outside beside room is asked once what was there before the rule was looked through."""
        scripted = command[0] == b"EVALSHA" and self.server.names[command[1]]
        self.opened = self.view.rule == self.lanes and (self.opened or scripted == "open_lanes")
        if self.view.lanes[0]:
            rule = self.lanes if self.view.rule == self.lanes else ""
            lanes.check(
                lanes.lanes(self.view.lanes), self.view.places, self.view.listed, rule, opened=self.opened
            )

    def see(self, look: Reply = None) -> None:
        look = look or self.server.look()
        if look != self._look:
            self._look = look
            self.view: View = view(look)

    def _lose(self, actor: Actor, command: Command) -> None:
        fate = self.random.choice(("answer", "command", "late"))
        self.faults[fate] += 1
        if fate == "answer":
            self._unanswered(actor.name, command, "answer lost")
        else:
            self.log.append(
                Event(self.time, actor.name, f"{fate} lost" if fate == "command" else fate, command, None)
            )
            if fate == "late":
                self.limbo.append((actor.name, command))
        actor.lose()

    def _bring_late_ones(self) -> None:
        """A wait on a connection that is broken is the first to be served; of other commands one comes now and then."""
        for place, (who, command) in enumerate(self.limbo):
            if command[0] == "LPOP" and self.view.letters.get(who.encode()):
                self._carry_out_late(place)
                return
        if self.limbo and self.random.random() < self.lateness:
            self._carry_out_late(self.random.randrange(len(self.limbo)))

    def _carry_out_late(self, place: int) -> None:
        self._unanswered(*self.limbo.pop(place), "came late")

    def _unanswered(self, who: str, command: Command, fate: str) -> None:
        if isinstance(self.carry_out(who, command, fate), BrokerRefused):
            self.faults["late refused"] += 1

    def settle_limbo(self) -> None:
        while self.limbo:
            self._carry_out_late(0)

    def kill(self, name: str, what: str = "killed") -> None:
        actor = self.actors[name]
        if not actor.ended:
            actor.kill()
            self.befall(f"{what}: {name}")

    def befall(self, what: str) -> None:
        """Put down a fault that is no command."""
        self.log.append(Event(self.time, "", what, (), None))
        self.faults[what.split(":", maxsplit=1)[0]] += 1

    def words(self, event: Event) -> str:
        """A step of the schedule, to be read."""
        time, who, fate, command, reply = event
        if not command:
            return f"{time - START:>7}  {fate}"
        name, args = str(command[0]), command[1:]
        if command[0] == b"EVALSHA":
            name, args = self.server.names[command[1]], command[4:]
        shown = " ".join(
            value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in args
        )
        return f"{time - START:>7}  {who:<10} {name} {shown}  {f'[{fate}]' if fate else ''} -> {reply!r}"

    def _beside_the_parked(self) -> None:
        """A job that may be taken, a parked worker, and nobody who was woken: then nobody takes it."""
        seen = self.view
        # Whoever is not parked takes a turn sooner or later, or is taken care of by its supervisor.
        others = {name for name in seen.workers if b"-alone" not in name} - seen.parked
        if seen.parked and not others and seen.takeable:
            raise Violation(f"{seen.takeable} jobs wait beside parked workers: {sorted(seen.parked)}")

    # --- the state goes back ---------------------------------------------------------------------------------

    @property
    def copied(self) -> bool:
        return self._copied is not None

    def copy(self) -> None:
        """Put the state aside, with what was promised by then."""
        self.server.copy()
        self._copied = (self.model.kept(), set(self.accepted))
        self.befall("copied")

    def roll_back(self) -> None:
        """The server comes back with the state that was put aside: every connection breaks, what was promised
        since is gone."""
        kept, accepted = self._copied
        self._copied = None
        self.opened = False
        self.server.roll_back()
        self.pass_time(1)
        self.limbo.clear()
        self.model.restore(kept)
        self.restored = dict(self.model.places)
        forgotten = self.accepted - accepted - self.model.born
        self.accepted -= forgotten
        self.faults["forgotten"] += len(forgotten)
        self.epoch += 1
        self.befall("rolled back")
        self.see()
        for actor in list(self.actors.values()):
            if not actor.ended:
                actor.lose()
