"""Flows as plain values: steps that need each other, and the names and payloads of their jobs. Pure.

A flow's id is its name and a part of its own: `checkout:order-17`. The job of a step is `checkout:order-17:charge`, one of
many `checkout:order-17:pack:3`; after a retry of the flow, `...:r2`. So whoever makes a job again makes the same one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from pipeline.policy import Retention
from pipeline.template import fields, fill

OWN_ID = re.compile(r"[A-Za-z0-9_.@-]{1,40}")
FLOW_ID = re.compile(r"([a-z0-9][a-z0-9_.-]{0,63}):([A-Za-z0-9_.@-]{1,40})")
LONGEST_NAMES = 64
"""Characters of a flow's name and a step's together: a job's id has 128."""
MOST_STEPS = 200
MOST_MEMBERS = 100_000
MOST_DATA = 1_048_576
ROOTS = ("data", "item", "index", "steps", "failed")
WAY_OUT = "for instance order-17: A-Z a-z 0-9 _ . @ -, 40 characters at most"


class StepPolicy(Struct, frozen=True, omit_defaults=True):
    """One step. `data` holds templates, None is the flow's own data (or the item); with `for_each`, the template of a
    list, there is a job for each item. An `optional` step may fail; an `on_failure` one runs when one that it needs has
    failed, or any."""

    queue: str
    job: str
    needs: tuple[str, ...] = ()
    data: Any = None
    for_each: str | None = None
    optional: bool = False
    on_failure: bool = False

    @property
    def kind(self) -> str:
        """As the scripts know it."""
        return "on_failure" if self.on_failure else "optional" if self.optional else ""

    @property
    def read(self) -> set[str]:
        """The steps whose results its templates name."""
        paths = fields([self.data, self.for_each])
        return {path[1] for path in paths if path[0] == "steps" and len(path) > 1}


class FlowPolicy(Struct, frozen=True):
    """A flow. `timeout` is for the whole, in ms; ended flows are kept as `retention` says."""

    name: str
    steps: dict[str, StepPolicy]
    timeout: int | None = None
    retention: Retention = Retention(1_000, 14 * 86_400_000)

    def dependants(self, step: str) -> list[str]:
        """The steps that need this one, but for those that run when it fails."""
        return [name for name, own in self.steps.items() if step in own.needs and not own.on_failure]

    @property
    def roots(self) -> list[str]:
        """The steps that need no other."""
        return [name for name, step in self.steps.items() if not step.needs and not step.on_failure]


class Member(NamedTuple):
    """One job of a flow: `at` is its place in a `for_each` step, `round` 1 before the first retry."""

    flow: str
    step: str
    at: int | None = None
    round: int = 1

    @property
    def field(self) -> str:
        """Its name within the flow."""
        return self.step if self.at is None else f"{self.step}:{self.at}"

    @property
    def job(self) -> str:
        """The id of its job."""
        return f"{self.flow}:{self.field}" + (f":r{self.round}" if self.round > 1 else "")

    @classmethod
    def of_job(cls, flow: str, job: str) -> Member:
        """The member whose job has this id."""
        field, _, round = job[len(flow) + 1 :].partition(":r")
        return cls.of_field(flow, field, int(round or 1))

    @classmethod
    def of_field(cls, flow: str, field: str, round: int) -> Member:
        """The member of this name."""
        step, _, index = field.partition(":")
        return cls(flow, step, int(index) if index else None, round)


def job_ids(members: Sequence[Member]) -> list[str]:
    """The ids of the jobs of members of one step."""
    flow, step, at, round = members[0]
    if at is None:
        return [member.job for member in members]
    head, tail = f"{flow}:{step}:", f":r{round}" if round > 1 else ""
    return [f"{head}{member[2]}{tail}" for member in members]


def split_id(id: str) -> tuple[str, str] | None:
    """Name and own part of a flow's id; None when it is none."""
    match = FLOW_ID.fullmatch(id)
    return (match[1], match[2]) if match else None


def payloads(step: StepPolicy, roots: Mapping[str, Any]) -> list[Any]:
    """The payload of each job of a step. `roots` are what its templates may name.

    Raises LookupError when something is missing, or `for_each` names no list.
    """
    if step.for_each is None:
        return [roots["data"] if step.data is None else fill(step.data, roots)]
    items = fill(step.for_each, roots)
    if not isinstance(items, list | tuple):
        raise LookupError(f"for_each: {step.for_each} is not a list")  # noqa: TRY004 - one error for all that is missing
    if len(items) > MOST_MEMBERS:
        raise LookupError(f"for_each: {step.for_each} has {len(items):,} items, more than {MOST_MEMBERS:,}")
    if step.data is None:
        return list(items)
    return [fill(step.data, {**roots, "item": item, "index": i}) for i, item in enumerate(items)]
