"""How attempts ended, counted by the names of their jobs. Workers do it with their turns (turn.lua), in the same script
that settles the jobs; supervisors count those of workers that are gone."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import script
from pipeline.store.wire import Reply

CHARACTERS = 64
MARK = "="
"""What a counter of a turn begins with when it is counted here, and is no total of the queue."""


def field(outcome: str, name: str) -> str:
    """The counter of attempts at jobs of `name` that ended so: completed, failed, dead, cancelled, postponed or crashed."""
    return f"{outcome}:{name[:CHARACTERS]}"


def count(project: str, queue: str, counters: Mapping[str, int]) -> Call[int]:
    """Count attempts (by `field`) where no turn does it; the result is how many counters these were."""
    rest = [part for item in counters.items() for part in item]
    command = script("name").command(queue=keys.base(project, queue), rest=rest)
    return Call(command, int)


def ends(project: str, queue: str) -> Call[dict[tuple[str, str], int]]:
    """How many attempts ended how: (outcome, name) -> count. The name '' stands for all that came when there were many
    names already."""
    return Call(("HGETALL", keys.names(keys.base(project, queue))), _read)


def _read(reply: Reply) -> dict[tuple[str, str], int]:
    found = {}
    for text, count in zip(reply[::2], reply[1::2], strict=True):
        outcome, _, name = text.decode(errors="replace").partition(":")
        found[outcome, name] = int(count)
    return found
