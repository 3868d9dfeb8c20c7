"""Lua scripts as callables, called by the names in their first two code lines.

A file in lua/ begins with what it does, its includes, and its signature:

    local queue = unpack(KEYS)
    local worker, number = unpack(ARGV)
    -- rest: what follows the fixed arguments
"""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any

LUA = Path(__file__).parent / "lua"
INCLUDE = re.compile(r"^-- include (\w+)$", re.MULTILINE)
SIGNATURE = re.compile(r"^local ([\w, ]+) = unpack\((KEYS|ARGV)\)$", re.MULTILINE)
REST = re.compile(r"^-- rest: ", re.MULTILINE)

Argument = str | bytes | int


class Script:
    """One lua/<name>.lua with its includes pasted in. `sha` is what EVALSHA takes."""

    def __init__(self, name: str) -> None:
        text = (LUA / f"{name}.lua").read_text()
        names = {table: fields.split(", ") for fields, table in SIGNATURE.findall(text)}
        self.name = name
        self.arguments = [*names["KEYS"], *names.get("ARGV", [])]
        self.keys = len(names["KEYS"])
        self.variadic = REST.search(text) is not None
        # `unpack` returns 8,000 values at most: it is given only the fixed ones of a variadic script.
        text = text.replace("= unpack(ARGV)", f"= unpack(ARGV, 1, {len(names.get('ARGV', []))})")
        self.source = INCLUDE.sub(_paste, text).encode()
        self.sha = sha1(self.source, usedforsecurity=False).hexdigest().encode()

    def command(self, rest: Iterable[Argument] = (), **given: Argument) -> tuple[Any, ...]:
        """The EVALSHA command for these arguments. Raises TypeError unless their names are the script's."""
        if len(given) != len(self.arguments) or (rest and not self.variadic):
            raise TypeError(f"{self.name} takes {self.arguments}, got {list(given)}")
        try:
            fixed = [given[name] for name in self.arguments]
        except KeyError as missing:
            raise TypeError(f"{self.name} takes {self.arguments}, not without {missing}") from None
        return (b"EVALSHA", self.sha, self.keys, *fixed, *rest)

    def in_order(self, *values: Argument) -> tuple[Any, ...]:
        """The same for values in the script's own order, where calling by name would cost too much."""
        return (b"EVALSHA", self.sha, self.keys, *values)


@cache
def script(name: str) -> Script:
    """The script lua/<name>.lua, read once."""
    return Script(name)


@cache
def by_sha() -> dict[bytes, Script]:
    """Every script that was used so far can be sent whole when a server does not have it yet."""
    return {script(path.stem).sha: script(path.stem) for path in LUA.glob("*.lua")}


def whole(command: tuple[Any, ...]) -> tuple[Any, ...]:
    """The EVAL command that does what this EVALSHA would have done."""
    return (b"EVAL", by_sha()[command[1]].source, *command[2:])


def _paste(match: re.Match[str]) -> str:
    return (LUA / "include" / f"{match[1]}.lua").read_text().rstrip()
