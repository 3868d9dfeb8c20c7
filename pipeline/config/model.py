"""The config as it stands in the file: every key, its kind, its default and its class of change.

The same models read a block as written and the same block with its defaults merged in (layers.py).
Defaults that workers know too are taken from policy.py and plan.py, so each is written once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from pipeline.config.block import Block, kind_of, optional, required
from pipeline.config.cases import CaseBlock
from pipeline.config.fields import (
    BrokerUrl,
    Cron,
    DurabilityWord,
    Duration,
    ExecutorWord,
    Flag,
    HandlerPath,
    Memory,
    Moment,
    Name,
    Pause,
    Payload,
    PlainText,
    Profile,
    Size,
    Zone,
    lasting,
    whole,
)
from pipeline.config.flow_blocks import FlowBlock
from pipeline.config.hidden import RedactPath
from pipeline.config.http import HttpBlock
from pipeline.config.policy_blocks import (
    HARD_TIMEOUT,
    DeduplicationBlock,
    IdsBlock,
    LanesBlock,
    PriorityValue,
    RateLimitBlock,
    RetentionBlock,
    RetryBlock,
    RetryValue,
    TimeoutValue,
)
from pipeline.config.receivers import AlertBlock, DeadLetterBlock, WaitLimitBlock
from pipeline.config.webhook_blocks import WebhookBlock
from pipeline.plan import BrokerPlan, PoolPlan, ReloadPlan, RestartPlan, SchedulePlan, SupervisorPlan
from pipeline.policy import MAX_CONCURRENCY, MAX_PROCESSES, QueuePolicy

_POLICY = QueuePolicy("")
_BROKER, _SUPERVISOR, _RESTART, _RELOAD = BrokerPlan(), SupervisorPlan(), RestartPlan(), ReloadPlan()
_SCHEDULE = SchedulePlan(queue="", job="")
MAX_EVERY = 366 * 86_400_000
MAX_REPLICAS = 16


class JobSettings(Block):
    """What a job name can say, and a queue for all of its jobs."""

    timeout: TimeoutValue | None = optional(
        "hot", "How long an attempt may take; null is no limit.", HARD_TIMEOUT
    )
    retry: RetryValue | None = optional("hot", "A named policy, or one written here.")
    priority: PriorityValue = optional("hot", "Within the queue; HIGHER runs first.", 0)
    deduplication: DeduplicationBlock | None = optional("hot", "When an enqueue is a duplicate.")
    expires: Duration | None = optional(
        "hot", "A job that has not begun so long after it could is cancelled."
    )
    around: tuple[HandlerPath, ...] = optional(
        "rolling",
        "What runs around the handler, outermost first: functions of the job and what calls the next.",
        (),
    )


class JobBlock(JobSettings):
    """One job name of a queue: its handler, and what differs from the queue."""

    handler: HandlerPath | None = optional(
        "rolling", "What runs it, as package.module:function; null only stores."
    )
    schema_: PlainText | None = optional(
        "hot", "The JSON Schema of the payload: a file, from the project's root.", alias="schema"
    )


class RecycleBlock(Block):
    """When a worker process is replaced by a fresh one; without limits it never is."""

    max_jobs: Annotated[int, whole(1, 1_000_000_000)] | None = optional("rolling", "After so many jobs.")
    max_memory: Memory | None = optional("rolling", "When it needs more memory.")
    max_age: Duration | None = optional("rolling", "After so long.")


class PoolSettings(Block):
    """The worker processes of a pool."""

    processes: Annotated[int, whole(1, MAX_PROCESSES)] = optional(
        "hot", "Worker processes on this host.", PoolPlan(()).processes
    )
    recycle: RecycleBlock = optional(
        "rolling", "When a worker process is replaced by a fresh one.", RecycleBlock()
    )


class PoolBlock(PoolSettings):
    """Worker processes that several queues share."""


class BatchBlock(Block):
    """How many jobs of one name a handler gets in one call."""

    size: Annotated[int, whole(1, MAX_CONCURRENCY)] | None = optional("rolling", "So many jobs at most ...")
    wait: Pause = optional("rolling", "... and the first of them waits at most so long for others.", 0)


class ExecutorBlock(Block):
    """Where handlers run, and how long a process of a slot is used."""

    type: ExecutorWord = optional("rolling", "auto, async, thread or process.", _POLICY.executor)
    max_jobs: Annotated[int, whole(1, 1_000_000_000)] | None = optional(
        "rolling", "After so many jobs the process of a slot is replaced."
    )


ExecutorValue = Annotated[
    Annotated[ExecutorWord, Tag("scalar")] | Annotated[ExecutorBlock, Tag("map")], Discriminator(kind_of)
]


class QueueSettings(JobSettings, PoolSettings):
    """What a queue can say, and `defaults` for all queues."""

    concurrency: Annotated[int, whole(1, MAX_CONCURRENCY)] = optional(
        "hot", "Jobs at once in each process.", _POLICY.concurrency
    )
    max_active: Annotated[int, whole(1)] | None = optional("hot", "Jobs at once over all hosts.")
    rate_limit: RateLimitBlock | None = optional(
        "hot", "How many jobs may start within a time, over all hosts."
    )
    lanes: LanesBlock | None = optional("rolling", "What holds for each key apart.")
    wait_limit: WaitLimitBlock | None = optional("hot", "How long a job may wait before somebody is told.")
    dead_letter: DeadLetterBlock | None = optional("hot", "What happens beside when a job dies.")
    retention: RetentionBlock = optional("hot", "What is kept of ended jobs.", RetentionBlock())
    ids: IdsBlock = optional("hot", "How long ids are remembered.", IdsBlock())
    max_crashes: Annotated[int, whole(1, 100)] = optional(
        "hot", "A job that took its process along this often is dead.", _POLICY.max_crashes
    )
    max_payload: Size = optional("hot", "The largest payload.", _POLICY.max_payload)
    executor: ExecutorValue = optional(
        "rolling",
        "Where handlers run; auto: `async def` on the event loop, `def` in a thread; process: each slot has a process.",
        _POLICY.executor,
    )
    batch: BatchBlock | None = optional(
        "rolling", "Handlers get a list of jobs; `concurrency` counts such calls."
    )
    paused: Flag = optional("hot", "Whether the queue stands still.", _POLICY.paused)
    redact: tuple[RedactPath, ...] = optional(
        "hot",
        "What the dashboard and its API never show of a job; * is any key or place in a list.",
        _POLICY.redact,
    )


class QueueBlock(QueueSettings):
    """One queue: a handler for every job name, or the handlers of its jobs, or both."""

    handler: HandlerPath | None = optional(
        "rolling", "Runs every job name that `jobs` does not list; null makes a queue that only stores."
    )
    jobs: dict[Name, JobBlock] = optional("rolling", "Job names, each with its handler.", {})
    pool: Name | None = optional("rolling", "The pool that it shares with other queues; see `pools`.")


class ScheduleBlock(Block):
    """When a job goes into a queue by itself: by `cron`, or `every` so often."""

    queue: Name = required("hot", "The queue of its jobs.")
    job: Name = required("hot", "The name of its jobs.")
    cron: Cron | None = optional("hot", "Five fields, or @hourly and kin.")
    every: Annotated[int, lasting(100, MAX_EVERY)] | None = optional(
        "hot", "So often, counted from `start`, or else from 1970 in UTC."
    )
    timezone: Zone | None = optional(
        "hot", "Where the times of `cron`, `start` and `end` are meant; else UTC."
    )
    data: Payload = optional("hot", "The payload of its jobs.")
    start: Moment | None = optional("hot", "Nothing before this time.")
    end: Moment | None = optional("hot", "Nothing after this time.")
    limit: Annotated[int, whole(1, 1_000_000_000)] | None = optional("hot", "So many jobs, then no more.")
    overlap: Literal["allow", "skip", "replace"] = optional(
        "hot",
        "While the job before has not ended: another one, none, or another one in its place.",
        _SCHEDULE.overlap,
    )
    catch_up: Literal["latest", "none", "all"] = optional(
        "hot",
        "Of times at which nothing ran: one job for the last of them, none, or one for each.",
        _SCHEDULE.catch_up,
    )
    jitter: Duration | None = optional("hot", "Each job is delayed by up to this, by chance.")


class SecretBlock(Block):
    """Where a secret is kept."""

    file: PlainText | None = optional("hot", "A file, from the project's root.")
    env: PlainText | None = optional("hot", "A variable of the environment.")


class SecretReference(Block):
    """A secret in the place of a value."""

    secret: Name = required("restart", "The name of the secret.")


UrlValue = Annotated[
    Annotated[BrokerUrl, Tag("scalar")] | Annotated[SecretReference, Tag("map")], Discriminator(kind_of)
]


class DurabilityBlock(Block):
    """How many replicas must have a job before it is accepted."""

    replicas: Annotated[int, whole(1, MAX_REPLICAS)] = required(
        "restart", "So many replicas must have a job before it is accepted."
    )


DurabilityValue = Annotated[
    Annotated[DurabilityWord, Tag("scalar")] | Annotated[DurabilityBlock, Tag("map")], Discriminator(kind_of)
]


class BrokerBlock(Block):
    """The server that holds the jobs."""

    url: UrlValue = optional(
        "restart",
        "embedded, redis://, redis+sentinel://, redis+cluster://, these three with rediss, or unix://",
        _BROKER.url,
    )
    durability: DurabilityValue = optional(
        "restart",
        "When a job is accepted: everysec, in the broker's memory, a second later in its file; fsync, in its file; "
        "or when so many replicas have it.",
        _BROKER.durability,
    )
    allow_eviction: Flag = optional(
        "restart", "Accept a server that may evict, and so lose, jobs.", _BROKER.allow_eviction
    )


class RestartBlock(Block):
    """The back-off of workers that cannot start."""

    delay: Duration = optional("hot", "The first pause; it doubles.", _RESTART.delay)
    max: Duration = optional("hot", "The longest pause.", _RESTART.max)
    give_up_after: Annotated[int, whole(1, 1_000)] = optional(
        "hot", "After so many failures in a row the pool is FATAL.", _RESTART.give_up_after
    )


class ReloadBlock(Block):
    """How edits of the file are noticed."""

    watch: Flag = optional("hot", "Whether an edit is applied by itself.", _RELOAD.watch)
    interval: Annotated[int, lasting(100, 3_600_000)] = optional(
        "hot", "How often the files are looked at.", _RELOAD.interval
    )


class SupervisorBlock(Block):
    """How worker processes are kept."""

    stop_timeout: Duration = optional(
        "hot", "How long a stop waits for running jobs; the rest is released.", _SUPERVISOR.stop_timeout
    )
    lease: Duration = optional("rolling", "How long a silent host keeps its jobs.", _SUPERVISOR.lease)
    import_timeout: Duration = optional(
        "hot", "How long handlers may take to import.", _SUPERVISOR.import_timeout
    )
    restart: RestartBlock = optional("hot", "The back-off of workers that cannot start.", RestartBlock())
    reload: ReloadBlock = optional("hot", "How edits of the file are noticed.", ReloadBlock())


class Config(Block):
    """Queues, declared in a file."""

    version: Annotated[int, whole(0)] = optional("restart", "The version of the file's format.", 1)
    name: Name = required("restart", "The prefix of every key and the label of every metric.")
    include: tuple[PlainText, ...] = optional(
        "hot", "More files, by their names or patterns, from the folder of this one.", ()
    )
    broker: BrokerBlock = optional("restart", "The server that holds the jobs.", BrokerBlock())
    http: HttpBlock | None = optional(
        "restart",
        "The web process: dashboard, API, health, metrics and webhooks; without this key there is none.",
    )
    alerts: dict[Name, AlertBlock] = optional("hot", "Who is told when something goes wrong, by name.", {})
    setup: HandlerPath | None = optional(
        "rolling",
        "Called once in a worker, before handlers are imported; a context manager is left when it ends.",
    )
    supervisor: SupervisorBlock = optional("hot", "How worker processes are kept.", SupervisorBlock())
    secrets: dict[Name, SecretBlock] = optional(
        "hot", "Secrets by name; a change counts where they are used.", {}
    )
    retries: dict[Name, RetryBlock] = optional("hot", "Named retry policies.", {})
    defaults: QueueSettings = optional("hot", "Merged under every queue.", QueueSettings())
    queues: dict[Name, QueueBlock] = required("hot", "The queues by name.")
    pools: dict[Name, PoolBlock] = optional("hot", "The pools that several queues share, by name.", {})
    schedules: dict[Name, ScheduleBlock] = optional("hot", "What runs by itself, by its name.", {})
    webhooks: dict[Name, WebhookBlock] = optional("hot", "What others send, by its name.", {})
    flows: dict[Name, FlowBlock] = optional("hot", "Steps that need each other, by the flow's name.", {})
    profiles: dict[Name, Profile] = optional("hot", "What --profile NAME lays over the file.", {})
    tests: tuple[CaseBlock, ...] = optional("hot", "Policy tests, run by `pipeline test`.", ())
