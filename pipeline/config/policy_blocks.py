"""What a queue and its jobs say of failures, time, numbers and keys, as it stands in the file.

Defaults that workers know too are taken from policy.py, so each is written once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from pipeline.config.block import Block, kind_of, optional
from pipeline.config.fields import (
    Duration,
    ErrorClass,
    Flag,
    Fraction,
    Pause,
    PolicyName,
    Template,
    lasting,
    whole,
)
from pipeline.policy import MAX_PRIORITY, QueuePolicy, RetryPolicy

_POLICY = QueuePolicy("")
HARD_TIMEOUT = 600_000


class BackoffBlock(Block):
    """The pauses between attempts."""

    type: Literal["fixed", "linear", "exponential", "list"] | None = optional(
        "hot", "How the pause grows: delay; n x delay; delay x 2^(n-1); or the n-th of `delays`."
    )
    delay: Pause | None = optional("hot", "The pause before the second attempt.")
    max: Duration | None = optional("hot", "No pause is longer than this.")
    jitter: Fraction = optional("hot", "The random share of a pause, from 0 to 1.", 0.0)
    delays: tuple[Pause, ...] | None = optional(
        "hot", "The pauses of type list, in order; the last one repeats."
    )


class RetryBlock(Block):
    """A retry policy."""

    extends: PolicyName | None = optional("hot", "The named policy that this one changes.")
    attempts: Annotated[int, whole(1, 1_000)] = optional(
        "hot", "How often a job runs at most, the first run included.", RetryPolicy().attempts
    )
    backoff: BackoffBlock | None = optional("hot", "The pauses between attempts; without it there are none.")
    retry_on: tuple[ErrorClass, ...] | None = optional(
        "hot", "Only these exceptions and their subclasses are retried; without it all are."
    )
    discard_on: tuple[ErrorClass, ...] = optional(
        "hot", "These exceptions and their subclasses end the job at once. Looked at first.", ()
    )


class TimeoutBlock(Block):
    """Two limits of an attempt."""

    soft: Duration | None = optional("hot", "After this long SoftTimeout is raised inside the handler.")
    hard: Duration | None = optional("hot", "After this long the attempt is ended.", HARD_TIMEOUT)


class KeptBlock(Block):
    """How many ended jobs are kept; null is no limit."""

    count: Annotated[int, whole(0, 100_000_000)] | None = optional("hot", "How many at most; 0 keeps none.")
    age: Duration | None = optional("hot", "How long at most.")


class CompletedBlock(KeptBlock):
    """How many completed jobs are kept; null is no limit."""

    count: Annotated[int, whole(0, 100_000_000)] | None = optional(
        "hot", "How many at most; 0 keeps none.", _POLICY.completed.count
    )
    age: Duration | None = optional("hot", "How long at most.", _POLICY.completed.age)


class DeadBlock(KeptBlock):
    """How many dead jobs are kept; null is no limit."""

    count: Annotated[int, whole(0, 100_000_000)] | None = optional(
        "hot", "How many at most; 0 keeps none.", _POLICY.dead.count
    )
    age: Duration | None = optional("hot", "How long at most.", _POLICY.dead.age)


class RetentionBlock(Block):
    """What is kept of jobs that have ended."""

    completed: CompletedBlock = optional("hot", "Completed jobs.", CompletedBlock())
    dead: DeadBlock = optional("hot", "Dead jobs.", DeadBlock())


class IdsBlock(Block):
    """How long the ids that callers gave are remembered."""

    keep: Duration = optional("hot", "At least this long after the job ended.", _POLICY.ids_keep)


class DeduplicationBlock(Block):
    """When a second enqueue is a duplicate of an earlier one."""

    key: Template | None = optional(
        "hot",
        "Jobs of one name with the same key are duplicates, for instance {data.charge}, or {hash} of the payload.",
    )
    mode: Literal["until_done", "throttle", "debounce", "keep_last"] = optional(
        "hot",
        "until_done: while the first one has not ended. throttle: within `ttl`. debounce: runs when none came for `ttl`, "
        "with the newest payload. keep_last: while one runs one more waits, with the newest payload.",
        "until_done",
    )
    ttl: Duration | None = optional("hot", "The window of throttle, the quiet time of debounce.")


class RateLimitBlock(Block):
    """How many jobs may start within a time, over all hosts."""

    max: Annotated[int, whole(1)] | None = optional("hot", "So many starts ...")
    per: Annotated[int, lasting(100, 86_400_000)] | None = optional("hot", "... within any time this long.")


class LaneRateBlock(RateLimitBlock):
    """How many jobs of a lane may start within a time, over all hosts."""

    max: Annotated[int, whole(1)] | None = optional("rolling", "So many starts ...")
    per: Annotated[int, lasting(100, 86_400_000)] | None = optional(
        "rolling", "... within any time this long."
    )


class LanesBlock(Block):
    """What holds for each key apart."""

    key: Template | None = optional(
        "rolling", "Jobs with the same key are in one lane, for instance {data.sku}."
    )
    max_active: Annotated[int, whole(1)] | None = optional(
        "rolling", "Jobs of a lane at once, over all hosts."
    )
    rate_limit: LaneRateBlock | None = optional(
        "rolling", "How many jobs of a lane may start within a time, over all hosts."
    )
    order: Literal["strict"] | None = optional(
        "rolling",
        "strict: one at a time, in the order in which they came; one that is retried keeps its place.",
    )
    fair: Flag = optional("rolling", "Whether lanes take turns, however full they are.", default=False)


RetryValue = Annotated[
    Annotated[PolicyName, Tag("scalar")] | Annotated[RetryBlock, Tag("map")], Discriminator(kind_of)
]
TimeoutValue = Annotated[
    Annotated[Duration, Tag("scalar")] | Annotated[TimeoutBlock, Tag("map")], Discriminator(kind_of)
]
PriorityValue = Annotated[int, whole(-MAX_PRIORITY, MAX_PRIORITY)]
