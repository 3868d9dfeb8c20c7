"""Flows whose steps fit together: queues and jobs that are there, needs without a circle, templates that find something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.config.flow_blocks import FlowBlock, StepBlock
from pipeline.config.layers import block
from pipeline.config.report import Report
from pipeline.config.suggest import did_you_mean
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Node, Path, Scalar, Sequence, child, find, is_null, key_span, value_span
from pipeline.config.values import plain
from pipeline.flow import LONGEST_NAMES, MOST_STEPS, ROOTS
from pipeline.template import FIELD

_TEMPLATE = re.compile(rf"(?:[^{{}}]|{FIELD.pattern})*")


@dataclass(frozen=True)
class _Flow:
    """A flow that can be read. `written` is all that stands in the file, `node` this flow of it."""

    name: str
    steps: dict[str, StepBlock]
    node: Tree
    written: Tree
    report: Report

    def error(
        self, code: str, message: str, step: str, *rest: str | int, key: bool = False, help: str = ""
    ) -> None:
        """A finding at a key or value of a step."""
        steps: Path = ("steps", step, *rest)
        place = key_span(self.node, steps) if key or not rest else value_span(self.node, steps)
        self.report.error(code, message, place, ("flows", self.name, *steps), help)

    def above(self, step: str) -> set[str]:
        """The steps that must have ended before, however many lie between."""
        found: set[str] = set()
        todo = [step]
        while todo:
            for need in self.steps[todo.pop()].needs:
                if need in self.steps and need not in found:
                    found.add(need)
                    todo.append(need)
        return found


def check_flows(tree: Tree, written: Tree, report: Report) -> None:
    """The mistakes of every flow that can be read. `tree` lacks what no variable could fill."""
    for name, entry in block(child(tree, "flows")).entries.items():
        node = block(find(written, ("flows", name)))
        whole = len(block(child(entry.value, "steps")).entries) == len(block(child(node, "steps")).entries)
        try:
            settings = FlowBlock.model_validate(plain(block(entry.value)))
        except ValidationError:
            continue
        if not whole:
            continue
        flow = _Flow(name, settings.steps, node, written, report)
        _check_size(flow)
        for step in flow.steps:
            _check_job(flow, step)
            _check_needs(flow, step)
            _check_on_failure(flow, step)
        if _check_circles(flow):
            for step in flow.steps:
                _check_templates(flow, step)


def _check_size(flow: _Flow) -> None:
    place, path = key_span(flow.node, ("steps",)), ("flows", flow.name, "steps")
    if not flow.steps:
        flow.report.error(
            "P350", "the flow has no step", place, path, "give it one: {queue: NAME, job: NAME}"
        )
    elif len(flow.steps) > MOST_STEPS:
        message = f"the flow has {len(flow.steps)} steps, more than {MOST_STEPS}"
        flow.report.error("P350", message, place, path, "`for_each` makes many jobs of one step")
    elif all(step.on_failure for step in flow.steps.values()):
        flow.report.error("P352", "every step is for a failure, and nothing can fail", place, path)
    for step in flow.steps:
        if len(flow.name) + len(step) > LONGEST_NAMES:
            message = f"the names of flow and step have more than {LONGEST_NAMES} characters together"
            flow.error("P353", message, step, help="they are a part of the ids of its jobs")


def _check_job(flow: _Flow, name: str) -> None:
    step, queues = flow.steps[name], block(child(flow.written, "queues")).entries
    if step.queue not in queues:
        help = did_you_mean(step.queue, queues) or "declare it under `queues`"
        flow.error("P240", f"the file has no queue '{step.queue}'", name, "queue", help=help)
        return
    queue = queues[step.queue].value
    jobs = block(child(queue, "jobs")).entries
    handler = child(queue, "handler")
    if step.job not in jobs and handler is None:
        help = did_you_mean(step.job, jobs) or "declare it under `jobs` of the queue"
        flow.error("P240", f"the queue '{step.queue}' has no job '{step.job}'", name, "job", help=help)
        return
    own = child(jobs[step.job].value, "handler") if step.job in jobs else handler
    own = handler if own is None else own
    if own is not None and is_null(own):
        place, path = (
            value_span(flow.node, ("steps", name, "job")),
            ("flows", flow.name, "steps", name, "job"),
        )
        message = f"'{step.job}' of '{step.queue}' has no handler: the flow waits for whoever works it off"
        flow.report.warning("P435", message, place, path, "give the flow a `timeout`")


def _check_needs(flow: _Flow, name: str) -> None:
    for at, need in enumerate(flow.steps[name].needs):
        if need not in flow.steps:
            help = did_you_mean(need, flow.steps) or f"its steps are {', '.join(flow.steps)}"
            flow.error("P241", f"the flow has no step '{need}'", name, "needs", at, help=help)
        elif flow.steps[need].on_failure:
            message = f"'{need}' runs only when the flow has failed: no step can need it"
            flow.error("P352", message, name, "needs", at, help="take it out of `needs`")


def _check_on_failure(flow: _Flow, name: str) -> None:
    step = flow.steps[name]
    if not step.on_failure:
        return
    for key in ("optional", "for_each"):
        if getattr(step, key):
            flow.error(
                "P352", f"a step for a failure cannot have `{key}`", name, key, key=True, help="remove it"
            )
    causes = [flow.steps[need] for need in step.needs if need in flow.steps] or list(flow.steps.values())
    if all(cause.optional or cause.on_failure for cause in causes) and not all(c.on_failure for c in causes):
        help = "an optional step that fails does not fail the flow"
        flow.error("P352", "what it is for cannot fail the flow", name, "on_failure", key=True, help=help)


def _check_circles(flow: _Flow) -> bool:
    """Report the first circle of each group of steps; whether there is none."""
    done, fine = set[str](), True
    for start in flow.steps:
        way = _circle(flow, start, [], done)
        if way is not None:
            fine = False
            message = f"steps need each other in a circle: {' -> '.join(way)}"
            flow.error("P242", message, way[0], "needs", key=True, help="one of them must begin")
    return fine


def _circle(flow: _Flow, name: str, above: list[str], done: set[str]) -> list[str] | None:
    if name in above:
        return [*above[above.index(name) :], name]
    if name in done or name not in flow.steps:
        return None
    done.add(name)
    for need in flow.steps[name].needs:
        if (found := _circle(flow, need, [*above, name], done)) is not None:
            return found
    return None


# --- templates ------------------------------------------------------------------------------------------


def _check_templates(flow: _Flow, name: str) -> None:
    step, node = flow.steps[name], child(child(flow.node, "steps"), name)
    if step.for_each is not None:
        field = FIELD.fullmatch(step.for_each)
        if not field or field[2] or field[1].split(".")[0] in ("item", "index"):
            message = f"'{step.for_each}' is not the template of a list"
            flow.error("P351", message, name, "for_each", help='one field alone, for instance "{data.items}"')
        else:
            _check_field(flow, name, field[1], ("for_each",))
    for path, text in _texts(child(node, "data"), ("data",)):
        if not _TEMPLATE.fullmatch(text):
            help = 'fields are {data.x}, {steps.NAME.result.x}, {item.x}, {index}; "?" before the brace allows one to be missing'
            flow.error("P114", f"'{text[:60]}' is not a template", name, *path, help=help)
            continue
        for field in FIELD.finditer(text):
            _check_field(flow, name, field[1], path)


def _check_field(flow: _Flow, name: str, field: str, path: Path) -> None:
    step, (root, *rest) = flow.steps[name], field.split(".")
    if root == "steps":
        _check_result(flow, name, rest, path)
    elif root in ("item", "index") and step.for_each is None:
        flow.error(
            "P351", f"{{{field}}} needs `for_each`", name, *path, help="it is an item of the step's list"
        )
    elif root == "failed" and not step.on_failure:
        flow.error(
            "P351", f"{{{field}}} needs `on_failure: true`", name, *path, help="it is what failed in the flow"
        )
    elif root not in ROOTS:
        help = (
            did_you_mean(root, ROOTS)
            or "data, steps.NAME.result, item or index (of for_each), failed (of on_failure)"
        )
        flow.error("P351", f"{{{field}}}: there is no '{root}'", name, *path, help=help)


def _check_result(flow: _Flow, name: str, rest: list[str], path: Path) -> None:
    other = rest[0] if rest else ""
    if other not in flow.steps:
        help = did_you_mean(other, flow.steps) or f"its steps are {', '.join(flow.steps)}"
        flow.error("P243", f"the flow has no step '{other}'", name, *path, help=help)
    elif rest[1:2] != ["result"]:
        help = f"write {{steps.{other}.result}}"
        flow.error("P243", "a step has a `result` and nothing else", name, *path, help=help)
    elif not flow.steps[name].on_failure and other not in flow.above(name):
        message = f"'{name}' does not need '{other}', so it may run before there is a result"
        flow.error("P243", message, name, *path, help=f"add {other} to its `needs`")


def _texts(node: Node | None, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            yield path, node.value
    elif isinstance(node, Tree):
        for key, entry in node.entries.items():
            yield from _texts(entry.value, (*path, key))
    elif isinstance(node, Sequence):
        for at, item in enumerate(node.items):
            yield from _texts(item, (*path, at))
