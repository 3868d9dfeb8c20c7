"""The generations that were applied: what each one changed, for people and programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from pipeline.diff import Change, diff
from pipeline.errors import NotKept
from pipeline.plan import Plan
from pipeline.store.history import Applied


def one_of(kept: Mapping[int, Applied], number: int) -> Applied:
    """A generation that is kept. Raises NotKept."""
    if number not in kept:
        raise NotKept(
            f"generation {number} is not kept", f"there are: {', '.join(map(str, kept)) or 'none yet'}"
        )
    return kept[number]


def changes_of(one: Applied, kept: Mapping[int, Applied]) -> tuple[Change, ...] | None:
    """What a generation changed; None when the one before is not kept any more."""
    before: Plan | None = None
    if one.generation == 1:
        before = replace(one.plan, queues={}, pools={})
    elif one.generation - 1 in kept:
        before = kept[one.generation - 1].plan
    return None if before is None else diff(before, one.plan)


def change_json(change: Change) -> dict[str, Any]:
    """A change for programs."""
    return {
        "path": change.path,
        "kind": change.kind,
        "from": change.from_,
        "to": change.to,
        "class": change.change_class,
    }
