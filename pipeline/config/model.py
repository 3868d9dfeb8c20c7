"""The config as it stands in the file: every key, its kind, its default and its class of change.

The same models read a block as written and the same block with its defaults merged in (layers.py).
Defaults that workers know too are taken from policy.py and plan.py, so each is written once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from pipeline.config.fields import (
    BrokerUrl,
    Duration,
    ErrorClass,
    Flag,
    Fraction,
    HandlerPath,
    Name,
    Pause,
    PlainText,
    Size,
    Template,
    whole,
)
from pipeline.plan import BrokerPlan, PoolPlan, RestartPlan, SupervisorPlan
from pipeline.policy import MAX_CONCURRENCY, MAX_PRIORITY, QueuePolicy, RetryPolicy

_POLICY = QueuePolicy("")
_BROKER, _SUPERVISOR, _RESTART = BrokerPlan(), SupervisorPlan(), RestartPlan()
HARD_TIMEOUT = 600_000


def _key(change: Literal["hot", "rolling", "restart"], description: str, default: Any = None) -> Any:
    """A key that need not be given, with its class of change."""
    return Field(default, description=description, json_schema_extra={"x-reload": change})


def _kind(value: Any) -> str:
    return "map" if isinstance(value, dict) else "scalar"


class Block(BaseModel):
    """A map with fixed keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class BackoffBlock(Block):
    """The pauses between attempts."""

    type: Literal["fixed", "linear", "exponential", "list"] | None = _key(
        "hot", "How the pause grows: delay; n x delay; delay x 2^(n-1); or the n-th of `delays`."
    )
    delay: Pause | None = _key("hot", "The pause before the second attempt.")
    max: Duration | None = _key("hot", "No pause is longer than this.")
    jitter: Fraction = _key("hot", "The random share of a pause, from 0 to 1.", 0.0)
    delays: tuple[Pause, ...] | None = _key("hot", "The pauses of type list, in order; the last one repeats.")


class RetryBlock(Block):
    """A retry policy."""

    extends: PlainText | None = _key("hot", "The named policy that this one changes.")
    attempts: Annotated[int, whole(1, 1_000)] = _key(
        "hot", "How often a job runs at most, the first run included.", RetryPolicy().attempts
    )
    backoff: BackoffBlock | None = _key("hot", "The pauses between attempts; without it there are none.")
    retry_on: tuple[ErrorClass, ...] | None = _key(
        "hot", "Only these exceptions and their subclasses are retried; without it all are."
    )
    discard_on: tuple[ErrorClass, ...] = _key(
        "hot", "These exceptions and their subclasses end the job at once. Looked at first.", ()
    )


class TimeoutBlock(Block):
    """Two limits of an attempt."""

    soft: Duration | None = _key("hot", "After this long SoftTimeout is raised inside the handler.")
    hard: Duration | None = _key("hot", "After this long the attempt is ended.", HARD_TIMEOUT)


class KeptBlock(Block):
    """How many ended jobs are kept; null is no limit."""

    count: Annotated[int, whole(0, 100_000_000)] | None = _key("hot", "How many at most; 0 keeps none.")
    age: Duration | None = _key("hot", "How long at most.")


class CompletedBlock(KeptBlock):
    """How many completed jobs are kept; null is no limit."""

    count: Annotated[int, whole(0, 100_000_000)] | None = _key(
        "hot", "How many at most; 0 keeps none.", _POLICY.completed.count
    )
    age: Duration | None = _key("hot", "How long at most.", _POLICY.completed.age)


class DeadBlock(KeptBlock):
    """How many dead jobs are kept; null is no limit."""

    count: Annotated[int, whole(0, 100_000_000)] | None = _key(
        "hot", "How many at most; 0 keeps none.", _POLICY.dead.count
    )
    age: Duration | None = _key("hot", "How long at most.", _POLICY.dead.age)


class RetentionBlock(Block):
    """What is kept of jobs that have ended."""

    completed: CompletedBlock = _key("hot", "Completed jobs.", CompletedBlock())
    dead: DeadBlock = _key("hot", "Dead jobs.", DeadBlock())


class IdsBlock(Block):
    """How long the ids that callers gave are remembered."""

    keep: Duration = _key("hot", "At least this long after the job ended.", _POLICY.ids_keep)


class DeduplicationBlock(Block):
    """When a second enqueue is a duplicate of an earlier one."""

    key: Template | None = _key("hot", "Jobs with the same key are duplicates, for instance {data.charge}.")
    mode: Literal["until_done", "throttle"] = _key(
        "hot", "until_done: while the first one has not ended. throttle: within `ttl`.", "until_done"
    )
    ttl: Duration | None = _key("hot", "The window of throttle.")


RetryValue = Annotated[
    Annotated[PlainText, Tag("scalar")] | Annotated[RetryBlock, Tag("map")], Discriminator(_kind)
]
TimeoutValue = Annotated[
    Annotated[Duration, Tag("scalar")] | Annotated[TimeoutBlock, Tag("map")], Discriminator(_kind)
]
PriorityValue = Annotated[int, whole(-MAX_PRIORITY, MAX_PRIORITY)]


class JobSettings(Block):
    """What a job name can say, and a queue for all of its jobs."""

    timeout: TimeoutValue | None = _key(
        "hot", "How long an attempt may take; null is no limit.", HARD_TIMEOUT
    )
    retry: RetryValue | None = _key("hot", "A named policy, or one written here.")
    priority: PriorityValue = _key("hot", "Within the queue; HIGHER runs first.", 0)
    deduplication: DeduplicationBlock | None = _key("hot", "When an enqueue is a duplicate.")


class JobBlock(JobSettings):
    """One job name of a queue: its handler, and what differs from the queue."""

    handler: HandlerPath | None = _key(
        "rolling", "What runs it, as package.module:function; null only stores."
    )
    schema_: PlainText | None = Field(
        None,
        alias="schema",
        description="The JSON Schema of the payload: a file, from the project's root.",
        json_schema_extra={"x-reload": "hot"},
    )


class QueueSettings(JobSettings):
    """What a queue can say, and `defaults` for all queues."""

    processes: Annotated[int, whole(1, 1_024)] = _key(
        "hot", "Worker processes on this host.", PoolPlan(()).processes
    )
    concurrency: Annotated[int, whole(1, MAX_CONCURRENCY)] = _key(
        "hot", "Jobs at once in each process.", _POLICY.concurrency
    )
    max_active: Annotated[int, whole(1)] | None = _key("hot", "Jobs at once over all hosts.")
    retention: RetentionBlock = _key("hot", "What is kept of ended jobs.", RetentionBlock())
    ids: IdsBlock = _key("hot", "How long ids are remembered.", IdsBlock())
    max_crashes: Annotated[int, whole(1, 100)] = _key(
        "hot", "A job that took its process along this often is dead.", _POLICY.max_crashes
    )
    max_payload: Size = _key("hot", "The largest payload.", _POLICY.max_payload)
    executor: Literal["auto", "async", "thread"] = _key(
        "rolling",
        "Where handlers run; auto: `async def` on the event loop, `def` in a thread.",
        _POLICY.executor,
    )
    paused: Flag = _key("hot", "Whether the queue stands still.", _POLICY.paused)


class QueueBlock(QueueSettings):
    """One queue: a handler for every job name, or the handlers of its jobs, or both."""

    handler: HandlerPath | None = _key(
        "rolling", "Runs every job name that `jobs` does not list; null makes a queue that only stores."
    )
    jobs: dict[Name, JobBlock] = _key("rolling", "Job names, each with its handler.", {})


class BrokerBlock(Block):
    """The server that holds the jobs."""

    url: BrokerUrl = _key("restart", "embedded, redis://, rediss:// or unix://", _BROKER.url)
    durability: Literal["everysec", "fsync"] = _key(
        "restart", "What a crash of the server can lose: a second of work, or nothing.", _BROKER.durability
    )
    allow_eviction: Flag = _key(
        "restart", "Accept a server that may evict, and so lose, jobs.", _BROKER.allow_eviction
    )


class RestartBlock(Block):
    """The back-off of workers that cannot start."""

    delay: Duration = _key("hot", "The first pause; it doubles.", _RESTART.delay)
    max: Duration = _key("hot", "The longest pause.", _RESTART.max)
    give_up_after: Annotated[int, whole(1, 1_000)] = _key(
        "hot", "After so many failures in a row the pool is FATAL.", _RESTART.give_up_after
    )


class SupervisorBlock(Block):
    """How worker processes are kept."""

    stop_timeout: Duration = _key(
        "hot", "How long a stop waits for running jobs; the rest is released.", _SUPERVISOR.stop_timeout
    )
    lease: Duration = _key("rolling", "How long a silent host keeps its jobs.", _SUPERVISOR.lease)
    import_timeout: Duration = _key(
        "hot", "How long handlers may take to import.", _SUPERVISOR.import_timeout
    )
    restart: RestartBlock = _key("hot", "The back-off of workers that cannot start.", RestartBlock())


class Config(Block):
    """Queues, declared in a file."""

    version: Annotated[int, whole(0)] = _key("restart", "The version of the file's format.", 1)
    name: Name = Field(
        description="The prefix of every key and the label of every metric.",
        json_schema_extra={"x-reload": "restart"},
    )
    broker: BrokerBlock = _key("restart", "The server that holds the jobs.", BrokerBlock())
    setup: HandlerPath | None = _key("rolling", "Called once in a worker, before handlers are imported.")
    supervisor: SupervisorBlock = _key("hot", "How worker processes are kept.", SupervisorBlock())
    retries: dict[Name, RetryBlock] = _key("hot", "Named retry policies.", {})
    defaults: QueueSettings = _key("hot", "Merged under every queue.", QueueSettings())
    queues: dict[Name, QueueBlock] = Field(
        description="The queues by name.", json_schema_extra={"x-reload": "hot"}
    )
