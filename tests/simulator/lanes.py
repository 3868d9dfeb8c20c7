"""What must hold of lanes after every command, as far as the rule that holds for them never changed."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from pipeline.store.wire import Reply
from tests.simulator.places import Lease, Places, Violation, pairs

RULES = ("", "", "", "1 0 0 1 0", "2 0 0 0 0", "0 0 0 0 1", "0 2 40 0 0", "1 1 40 0 1")


class Lanes(NamedTuple):
    """A look at the lanes: which each job has, whether it was let in, and who waits in each."""

    of: dict[bytes, bytes]
    states: dict[bytes, bytes]
    inside: dict[bytes, int]
    listed: dict[bytes, int]
    sizes: dict[bytes, int]
    opens: set[bytes]
    held: set[bytes]
    waits: dict[bytes, list[bytes]]


def lanes(look: Reply) -> Lanes:
    of, states, inside, listed, sizes, opens, held, waits = look
    return Lanes(
        pairs(of),
        pairs(states),
        _numbers(inside),
        _numbers(listed),
        _numbers(sizes),
        set(opens),
        set(held),
        dict(waits),
    )


def _numbers(flat: list[bytes]) -> dict[bytes, int]:
    return {name: int(float(count)) for name, count in pairs(flat).items()}


def check(look: Lanes, places: Places, listed: set[bytes], rule: str, *, opened: bool) -> None:
    """The counts are those of the jobs, nobody is let in past the rule, and nobody stays outside beside room.
    `listed` are those that turns may take."""
    inside = {id for id, state in look.states.items() if state.startswith(b"in ")}
    members = sorted(member for members in look.waits.values() for member in members)
    _same("members", members, sorted(state for id, state in look.states.items() if id not in inside))
    _same("let in", Counter(look.of[id] for id in inside), look.inside)
    _same("listed", Counter(look.of[id] for id in inside & listed), look.listed)
    sizes = {lane: len(members) for lane, members in look.waits.items() if members}
    _same("sizes", {**sizes, **({b"": sum(sizes.values())} if sizes else {})}, look.sizes)
    if lost := {id for id in look.of.keys() & listed if id not in inside}:
        raise Violation(f"they are listed, and were not let in: {lost}")
    if not rule:
        return
    width, starts, _, _, fair = map(int, rule.split())
    active = Counter(
        look.of[id] for id, place in places.items() if isinstance(place, Lease) and id in look.of
    )
    for lane, count in look.inside.items():
        if width and max(count, active[lane]) > width:
            raise Violation(f"{count} are let in and {active[lane]} active in lane {lane!r} of width {width}")
    for lane in sizes if opened else ():
        room = not width or look.inside.get(lane, 0) < width
        waits_for = (fair and lane in look.listed) or lane in look.opens | look.held
        if room and not waits_for and not (starts and lane in look.listed):
            raise Violation(f"lane {lane!r} has room, and jobs wait in it")


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Violation(f"lanes, {what}: {found!r} and {expected!r}")
