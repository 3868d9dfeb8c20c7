"""What the steps of a flow can read of it: the results of others, and what failed. Ways, as in flows.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from pipeline.flow import FlowPolicy, Member, StepPolicy
from pipeline.flowview import Failed, failure_of
from pipeline.store.flows import FlowStore, decode_flow
from pipeline.ways import Way

CHUNK = 1_000
Item = TypeVar("Item")


def roots_of(
    store: FlowStore, id: str, policy: FlowPolicy, step: StepPolicy, data: bytes
) -> Way[dict[str, Any]]:
    """What the templates of a step may name; results only of the steps that they do name."""
    found = yield from results(store, id, [name for name in step.read if name in policy.steps])
    roots = {
        "data": msgspec.json.decode(data),
        "steps": {name: {"result": result} for name, result in found.items()},
    }
    if step.on_failure:
        roots["failed"] = msgspec.to_builtins((yield from failures(store, id))[0])
    return roots


def results(store: FlowStore, id: str, names: Iterable[str]) -> Way[dict[str, Any]]:
    """The results of steps that have ended; see Job.needs. A step that did not run has none."""
    found: dict[str, Any] = {}
    for name in names:
        state, total, each = yield store.values(id, [f"{name}.state", f"{name}.total", f"{name}.each"])
        if each is None:
            (end,) = yield store.ends(id, [name])
            if end is not None or state == b"failed":
                found[name] = _result(end)
        elif state in (b"done", b"failed"):
            several = []
            for chunk in chunks(range(int(total or 0)), CHUNK):
                several += yield store.ends(id, [f"{name}:{index}" for index in chunk])
            found[name] = [_result(end) for end in several]
    return found


def needs(store: FlowStore, member: Member) -> Way[dict[str, Any]]:
    """What Job.needs says."""
    policy = decode_flow((yield store.values(member.flow, ["definition"]))[0] or b"")
    step = policy.steps[member.step]
    others = [name for name, other in policy.steps.items() if not other.on_failure]
    return (yield from results(store, member.flow, others if step.on_failure else step.needs))


def failures(store: FlowStore, id: str) -> Way[list[Failed]]:
    """What Job.failures says."""
    own = yield store.show(id)
    names = own["steps"].decode().split() if own else []
    over = [failure_of(None, own["error"])] if "error" in own else []
    return over + [
        failure_of(name, own[f"{name}.error"][1:])
        for name in names
        if own[f"{name}.state"] == b"failed" and not own[f"{name}.kind"]
    ]


def _result(end: bytes | None) -> Any:
    return msgspec.json.decode(end[1:]) if end is not None and end[:1] == b"c" and len(end) > 1 else None


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items, so many at a time."""
    return (items[first : first + size] for first in range(0, len(items), size))
