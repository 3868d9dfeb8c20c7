"""A world of virtual clients on a real server.

The server runs commands one after another, so choosing who sends the next command is choosing an interleaving:
a seed gives the same history every time. Time is a key that only the world moves.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

from pipeline.errors import BrokerRefused
from pipeline.store import keys
from pipeline.store.scripts import LUA, script
from pipeline.store.store import Store
from pipeline.store.wire import BlockingConnection, Command, Reply, parse

NOW = "sim:now"
REAL_CLOCK = "local t = redis.call('TIME')\n  return t[1] * 1000 + math.floor(t[2] / 1000)"
# The server picks parked workers by chance: here the first by name is picked, so that a seed repeats.
REAL_PICK = "redis.call('SPOP', "
SIM_PICK = """
local function pick(key, count)
  local names = redis.call('SMEMBERS', key)
  table.sort(names)
  local picked = {}
  for i = 1, math.min(count or 1, #names) do picked[i] = names[i] end
  if #picked > 0 then redis.call('SREM', key, unpack(picked)) end
  if count then return picked end
  return picked[1] or false
end
"""
SIM_CLOCK = f"return tonumber(redis.call('GET', '{NOW}'))"
LEASE = 500

Client = Generator[Command, Reply, None]
Steps = Generator[Command, Reply, Any]


class Lost(Exception):
    """No answer came: the command was carried out, or not, or will be later."""


class Violation(AssertionError):
    """A promise was broken."""


class Actor:
    """One client and the command that it sends next. A frozen one sends nothing until it is thawed."""

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self._client = client
        self.frozen = self.ended = self.stood_still = False
        self.command: Command | None = next(client)

    def answer(self, reply: Reply) -> None:
        self._resume(lambda: self._client.send(reply))

    def lose(self) -> None:
        self._resume(lambda: self._client.throw(Lost()))

    def refuse(self, error: BrokerRefused) -> None:
        self._resume(lambda: self._client.throw(error))

    def freeze(self) -> None:
        self.frozen = self.stood_still = True

    def kill(self) -> None:
        self.ended = True
        self._client.close()

    def _resume(self, step: Callable[[], Command]) -> None:
        try:
            self.command = step()
        except StopIteration:
            self.ended = True


class World:
    """The server, the clock, and what has been promised to whom."""

    def __init__(self, url: str, seed: int, mutation: tuple[str, str, str] | None = None) -> None:
        self.random = random.Random(seed)
        self.connection = BlockingConnection(parse(url))
        self.connection.call(("FLUSHALL",))
        self.time = 1_700_000_000_000
        self.store = Store("sim", "q")
        self.actors: dict[str, Actor] = {}
        self.limbo: list[Command] = []
        self.trouble = 0.0
        self.begun: dict[str, set[tuple[bytes, int]]] = {}
        self.runs: Counter[str] = Counter()
        self.accepted: set[str] = set()
        self.faults: Counter[str] = Counter()
        self._shas = self._load(mutation)

    def _load(self, mutation: tuple[str, str, str] | None) -> dict[bytes, bytes]:
        """Every script under our clock; with a mutation, one of them (file, from, to) is broken on purpose."""
        shas, used = {}, mutation is None
        for path in LUA.glob("*.lua"):
            source = script(path.stem).source.decode().replace(REAL_CLOCK, SIM_CLOCK)
            assert "redis.call('TIME')" not in source
            if REAL_PICK in source:
                first, newline, rest = source.partition("\n")
                source = first + newline + SIM_PICK + rest.replace(REAL_PICK, "pick(")
            if mutation and path.stem in mutation[0].split() and mutation[1] in source:
                source, used = source.replace(mutation[1], mutation[2]), True
            shas[script(path.stem).sha] = self.connection.call(("SCRIPT", "LOAD", source))
        assert used, f"nothing to break: {mutation}"
        return shas

    def carry_out(self, command: Command) -> Reply:
        """Run a command on the server, at the world's time."""
        if command[0] == b"EVALSHA":
            command = (b"EVALSHA", self._shas[command[1]], *command[2:])
        self.connection.call(("SET", NOW, self.time))
        return self.connection.call(command)

    def step(self) -> bool:
        """Let one client's command meet its fate. False when nobody can move."""
        if self.limbo and self.random.random() < 0.2:
            self._carry_out_late()
        able = [actor for actor in self.actors.values() if not (actor.frozen or actor.ended)]
        if not able:
            return False
        actor = self.random.choice(able)
        assert actor.command is not None
        self.time += self.random.choice((0, 0, 1, 2, 5))
        if self.random.random() < self.trouble:
            self._lose(actor)
            return True
        try:
            reply = self.carry_out(actor.command)
        except BrokerRefused as error:
            actor.refuse(error)
        else:
            actor.answer(reply)
        return True

    def _lose(self, actor: Actor) -> None:
        assert actor.command is not None
        fate = self.random.choice(("answer", "command", "late"))
        self.faults[fate] += 1
        if fate == "answer":
            self._quietly(actor.command)
        elif fate == "late":
            self.limbo.append(actor.command)
        actor.lose()

    def _carry_out_late(self) -> None:
        self._quietly(self.limbo.pop(self.random.randrange(len(self.limbo))))

    def _quietly(self, command: Command) -> None:
        try:
            self.carry_out(command)
        except BrokerRefused:
            self.faults["late refused"] += 1

    def settle_limbo(self) -> None:
        while self.limbo:
            self._carry_out_late()

    # --- what is seen from outside -----------------------------------------------------------------------

    def call(self, *command: Any) -> Reply:
        return self.connection.call(command)

    def members(self, name: str) -> list[str]:
        reply = self.call("ZRANGE", f"{self.store.queue}:{name}", 0, -1)
        return [member.decode() for member in reply]

    def waiting(self) -> int:
        levels = self.call("ZRANGE", keys.levels(self.store.queue), 0, -1)
        lists = [int(self.call("LLEN", keys.wait(self.store.queue, int(level)))) for level in levels]
        return sum(lists) - sum(map(int, self.call("HVALS", keys.stale(self.store.queue))))

    def stats(self) -> dict[str, int]:
        flat = self.call("HGETALL", keys.stats(self.store.queue))
        return {name.decode(): int(by) for name, by in zip(flat[::2], flat[1::2], strict=True)}
