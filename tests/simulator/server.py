"""The server of a simulation: a real one, whose scripts go by the world's clock and choose nothing by chance.

A step of the world is one round trip: the clock, the command, and a look at what became of all jobs.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import hiredis

from pipeline.broker import parse
from pipeline.store import keys
from pipeline.store.blocking import BlockingWire
from pipeline.store.refusals import refusal
from pipeline.store.scripts import LUA, script
from pipeline.store.wire import Command, Reply, is_missing_script

QUEUE = keys.base("sim", "q")
NOW = "sim:now"
LOOK = (Path(__file__).parent / "look.lua").read_text()
CLOCK = "local t = redis.call('TIME')\n  return t[1] * 1000 + math.floor(t[2] / 1000)"
# What the server would do by its own clock, by chance, or in the order of its memory, so that a seed repeats.
REPLACED = {
    CLOCK: f"return tonumber(redis.call('GET', '{NOW}'))",
    "redis.call('SPOP', ": "sim_pick(",
    "ipairs(redis.call('HKEYS', queue .. ':active:' .. worker))": "ipairs(sim_sorted(queue .. ':active:' .. worker))",
    "'EX', 60": "'PXAT', sim_after(60000)",
    "redis.call('PEXPIRE', queue .. ':starts', per)": "redis.call('PEXPIREAT', queue .. ':starts', sim_after(per))",
    "redis.call('PEXPIRE', queue .. ':started', per)": "redis.call('PEXPIREAT', queue .. ':started', sim_after(per))",
    "redis.call('PEXPIRE', queue .. ':events', 60000)": "redis.call('PEXPIREAT', queue .. ':events', sim_after(60000))",
    "'~', 1000, '*', event": "'~', 1000, redis.call('INCR', 'sim:event') .. '-0', event",
    "redis.call('EXPIRE', key, wide * size * 60)": "redis.call('PEXPIREAT', key, sim_after(wide * size * 60000))",
    "redis.call('EXPIRE', queue .. ':charted', 86400)": "redis.call('PEXPIREAT', queue .. ':charted', sim_after(86400000))",
    "redis.call('PEXPIRE', starts, book.per)": "redis.call('PEXPIREAT', starts, sim_after(book.per))",
    "redis.call('EXPIRE', memory, 60)": "redis.call('PEXPIREAT', memory, sim_after(60000))",
    "'PX', window": "'PXAT', sim_after(window)",
    "'PX', keep": "'PXAT', sim_after(keep)",
}
HELPERS = {
    "sim_pick": """
local function sim_pick(key, count)
  local names, picked = redis.call('SMEMBERS', key), {}
  table.sort(names)
  for i = 1, math.min(count or 1, #names) do picked[i] = names[i] end
  if #picked > 0 then redis.call('SREM', key, unpack(picked)) end
  if count then return picked end
  return picked[1] or false
end""",
    "sim_sorted": """
local function sim_sorted(key)
  local names = redis.call('HKEYS', key)
  table.sort(names)
  return names
end""",
    "sim_after": f"""
local function sim_after(ms)
  return string.format('%d', redis.call('GET', '{NOW}') + ms)
end""",
}
OWN_WAY = re.compile(r"'(TIME|P?EXPIRE|EX|PX|SPOP|SRANDMEMBER)'")
# The world's clock lies in the future of the server's, so that nothing ends by the latter.
TICK = f"""
redis.call('SET', '{NOW}', ARGV[1])
for i = 1, #KEYS do
  local ends = redis.call('PEXPIRETIME', KEYS[i])
  if ends >= 0 and ends <= tonumber(ARGV[1]) then redis.call('DEL', KEYS[i]) end
end
"""
DUMP = """
local keys, dumped = redis.call('KEYS', '{*'), {}
table.sort(keys)
for i = 1, #keys do
  dumped[i] = { keys[i], redis.call('DUMP', keys[i]), math.max(redis.call('PEXPIRETIME', keys[i]), 0) }
end
return dumped
"""
RESTORE = """
redis.call('FLUSHDB')
for i = 1, #ARGV, 3 do redis.call('RESTORE', ARGV[i], ARGV[i + 2], ARGV[i + 1], 'ABSTTL') end
"""


class Defect(NamedTuple):
    """A rule that is broken on purpose: in these scripts, this text becomes that one. `behind` it may stand a second
    rule that heals what the first lets through, and is broken too."""

    scripts: str
    text: str
    broken: str
    behind: Defect | None = None


class Pipe(BlockingWire):
    """Several commands in one round trip; an error is a reply."""

    def exchange(self, commands: bytes, count: int) -> list[Reply]:
        self._socket.sendall(commands)
        replies: list[Reply] = []
        while len(replies) < count:
            while (reply := self._reader.gets()) is not False:
                replies.append(reply)
            if len(replies) < count:
                self._reader.feed(self._socket.recv(65536))
        return replies


class Server:
    """One connection for everybody. `volatile` are the keys that may end by themselves."""

    def __init__(self, url: str, defect: Defect | None = None) -> None:
        self._pipe = Pipe(parse(url), 5.0)
        self.names = {script(path.stem).sha: path.stem for path in LUA.glob("*.lua")}
        self._sources = {sha: source(name, defect) for sha, name in self.names.items()}
        broken = [name for sha, name in self.names.items() if self._sources[sha] != source(name, None)]
        assert defect is None or broken, f"nothing to break: {defect}"
        self._shas: dict[bytes, bytes] = {}
        self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()

    def begin(self, volatile: list[str]) -> None:
        """An empty database for a new history."""
        self._volatile = [f"{QUEUE}:{name}" for name in volatile]
        self.call("FLUSHDB")

    def run(self, command: Command, time: int) -> tuple[Reply, Reply]:
        """What the command is answered at that time (an error as an exception), and the look after it."""
        tick = ("EVALSHA", self._tick, len(self._volatile), *self._volatile, time)
        scripted = command[0] == b"EVALSHA"
        if scripted:
            sha = command[1]
            command = (b"EVALSHA", self._shas[sha], *command[2:])
        sent = hiredis.pack_command(tick) + hiredis.pack_command(command) + self._see
        _, reply, look = self._pipe.exchange(sent, 3)
        if scripted and is_missing_script(reply):
            # As every connection of ours does: the script is sent whole.
            command = (b"EVAL", self._sources[sha], *command[2:])
            reply, look = self._pipe.exchange(hiredis.pack_command(command) + self._see, 2)
        return refusal(reply) if isinstance(reply, hiredis.ReplyError) else reply, look

    def look(self) -> Reply:
        return self._pipe.exchange(self._see, 1)[0]

    def call(self, *command: Any) -> Reply:
        """A question from outside, or a fault."""
        return self._pipe.call(command)

    def forget_scripts(self) -> None:
        """The server does not know any script of ours any more."""
        self.call("SCRIPT", "FLUSH")
        self._load_own()

    def copy(self) -> None:
        """Put the whole state aside."""
        self._many([("SELECT", 1), ("FLUSHDB",), ("SELECT", 0)])
        self._many([("COPY", key, key, "DB", 1) for key in self.call("KEYS", "*")])

    def roll_back(self) -> None:
        """The state that was put aside is the state again."""
        self.call("SWAPDB", 0, 1)

    def dump(self) -> Any:
        """The whole state as a value that `restore` takes; the same for the same state."""
        return tuple(map(tuple, self.call("EVAL", DUMP, 0)))

    def restore(self, dumped: Any) -> None:
        self.call("EVAL", RESTORE, 0, *(part for key in dumped for part in key))

    def _many(self, commands: list[Command]) -> None:
        for reply in self._pipe.exchange(b"".join(map(hiredis.pack_command, commands)), len(commands)):
            assert not isinstance(reply, hiredis.ReplyError), reply

    def _load(self) -> None:
        for sha, text in self._sources.items():
            self._shas[sha] = self.call("SCRIPT", "LOAD", text)
        self._load_own()

    def _load_own(self) -> None:
        self._tick = self.call("SCRIPT", "LOAD", TICK)
        look: Command = ("EVALSHA", self.call("SCRIPT", "LOAD", LOOK), 1, QUEUE)
        self._see = hiredis.pack_command(look)


def source(name: str, defect: Defect | None) -> str:
    """A script under the world's clock, perhaps with a broken rule."""
    text = script(name).source.decode()
    for real, simulated in REPLACED.items():
        text = text.replace(real, simulated)
    assert not OWN_WAY.search(text), f"{name}.lua goes by the server's clock, or by chance"
    while defect:
        if name in defect.scripts.split():
            text = text.replace(defect.text, defect.broken)
        defect = defect.behind
    first, newline, rest = text.partition("\n")
    helpers = "".join(helper for called, helper in HELPERS.items() if f"{called}(" in text)
    return first + newline + helpers + newline + rest if helpers else text
