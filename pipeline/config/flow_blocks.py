"""The `flows:` of a config: steps that need each other, each a job of a queue."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pipeline.config.block import Block, optional, required
from pipeline.config.fields import Duration, Flag, Kind, Name, PlainText, matching, refuse, shown, whole
from pipeline.config.tree import Text
from pipeline.flow import FlowPolicy, StepPolicy

STEP_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
_FLOW, _STEP = FlowPolicy("", {}), StepPolicy("", "")


def _step(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(STEP_PATTERN, value):
        near = re.sub(r"[^a-z0-9_-]+", "-", str(value).lower()).lstrip("_-")[:63]
        help = f"'{near}' would do" if near and not isinstance(value, Text) else ""
        refuse("P108", f"{shown(value)} cannot be a step: a-z, 0-9, '_', '-', 63 characters", help)
    return str(value)


def _payload(value: Any) -> Any:
    if not isinstance(value, dict | str):
        refuse("P103", f"this must be a map of keys or a template, not {shown(value)}")
    return _json(value)


def _json(value: Any) -> Any:
    """As JSON has it: text that a variable went into is text like any other."""
    if isinstance(value, dict):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return str(value) if isinstance(value, str) else value


StepName = Annotated[str, matching(_step, STEP_PATTERN, "the name of a step", "charge")]
PayloadValue = Annotated[
    Any, Kind(_payload, {"type": ["object", "string"]}, "a map of keys or a template", '{order: "{data.id}"}')
]


class FlowRetentionBlock(Block):
    """How many ended flows are kept; null is no limit."""

    count: Annotated[int, whole(0, 1_000_000)] | None = optional(
        "hot", "How many at most; 0 keeps none.", _FLOW.retention.count
    )
    age: Duration | None = optional("hot", "How long at most.", _FLOW.retention.age)


class StepBlock(Block):
    """One step of a flow: a job, or with `for_each` one for each item of a list."""

    queue: Name = required("hot", "The queue of its job.")
    job: Name = required("hot", "The name of its job.")
    needs: tuple[StepName, ...] = optional(
        "hot",
        "The steps that must end before; of an `on_failure` step, those whose failure it is for (without any: of all).",
        (),
    )
    data: PayloadValue | None = optional(
        "hot",
        "The payload, with {data.x}, {steps.NAME.result.x}, {item.x}; without it the flow's data, or the item.",
    )
    for_each: PlainText | None = optional(
        "hot", "A list, as {data.items}: there is a job for each item of it."
    )
    on_failure: Flag = optional(
        "hot", "Whether it runs when the flow has failed, and only then.", _STEP.on_failure
    )
    # The last one: in this class the name means the key from here on.
    optional: Flag = optional("hot", "Whether the flow goes on when it fails.", _STEP.optional)


class FlowBlock(Block):
    """Steps that need each other."""

    timeout: Duration | None = optional("hot", "How long the whole may take; then it fails.")
    retention: FlowRetentionBlock = optional(
        "hot", "What is kept of flows that have ended.", FlowRetentionBlock()
    )
    steps: dict[StepName, StepBlock] = required("hot", "The steps by name.")
