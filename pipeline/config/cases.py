"""The `tests:` of a config: what happens to a job, and what must follow from the policy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from pipeline.config.block import Block, optional, required
from pipeline.config.fields import Duration, ErrorClass, Name, Pause, PlainText, PolicyName, whole


def _is_list(value: object) -> str:
    return "list" if isinstance(value, tuple) else "scalar"


RaisesValue = Annotated[
    Annotated[ErrorClass, Tag("scalar")] | Annotated[tuple[ErrorClass | None, ...], Tag("list")],
    Discriminator(_is_list),
]


class ExpectBlock(Block):
    """What must follow. Only what is given is compared."""

    state: Literal["completed", "dead", "delayed", "waiting"] | None = optional(
        "hot",
        "What becomes of the job; delayed and waiting are looked for after `attempt`, else after the first.",
    )
    attempt: Annotated[int, whole(1, 1_000)] | None = optional(
        "hot", "The attempt that the job ends with, counted from 1."
    )
    delays: tuple[Pause, ...] | None = optional(
        "hot", "Every pause between two attempts, in order and without jitter: the longest they can be."
    )
    total: Pause | None = optional("hot", "How long the attempts and the pauses between them take together.")


class CaseBlock(Block):
    """A policy test: a job on a virtual clock, without a broker."""

    name: PlainText = required("hot", "What the test shows.")
    retry: PolicyName | None = optional("hot", "The retry policy that is tested, by its name.")
    queue: Name | None = optional("hot", "The queue whose policy is tested, instead of `retry`.")
    job: Name | None = optional(
        "hot", "The job name of the queue; without it that of the queue's own handler."
    )
    raises: RaisesValue | None = optional(
        "hot",
        "The exception of every attempt; or a list of one for each, where null and what is not listed succeed. "
        "Without it a test of `retry` fails until the end, and one of `queue` succeeds.",
    )
    after: Duration | None = optional(
        "hot", "How long every attempt takes; beyond the hard limit it ends as TimeoutError."
    )
    expect: ExpectBlock = required("hot", "What must follow.")
