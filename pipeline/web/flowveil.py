"""What is hidden of a flow's own data: the places that hidden places of its jobs' payloads are filled from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipeline.flow import FlowPolicy, StepPolicy
from pipeline.template import FIELD, fields
from pipeline.web.redact import Path, Rules


def rules_of(flow: FlowPolicy, rules: Callable[[str], Rules]) -> tuple[Path, ...]:
    """The paths below the flow's data, by the rules of its steps' queues. They are taken literally as well: what has a name
    in a payload often has it in the flow."""
    paths: dict[Path, None] = {}
    for step in flow.steps.values():
        for rule in rules(step.queue).below.get("data", ()):
            paths |= dict.fromkeys((rule, *_sources(step, rule)))
    return tuple(paths)


def _sources(step: StepPolicy, rule: Path) -> Iterator[Path]:
    """Where a place of the step's payload comes from."""
    items = next(iter(fields(step.for_each)), ())
    if step.data is None:
        if items[:1] == ("data",):
            yield (*items[1:], "*", *rule)
        return
    for template, rest in _at(step.data, rule):
        alone = isinstance(template, str) and FIELD.fullmatch(template) is not None
        for root, *path in fields(template):
            below = (*path, *rest) if alone else tuple(path)
            if root == "data":
                yield below
            elif root == "item" and items[:1] == ("data",):
                yield (*items[1:], "*", *below)


def _at(template: Any, rule: Path) -> Iterator[tuple[Any, Path]]:
    """The templates at a place, and how far below each of them the place lies."""
    if not rule or isinstance(template, str):
        yield template, rule
    elif isinstance(template, dict):
        for key, one in template.items():
            if rule[0] in ("*", key):
                yield from _at(one, rule[1:])
    elif isinstance(template, list | tuple):
        for number, one in enumerate(template):
            if rule[0] in ("*", str(number)):
                yield from _at(one, rule[1:])
