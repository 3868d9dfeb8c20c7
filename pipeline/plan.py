"""What should run, as plain values: the config with every reference and default resolved.

The supervisor starts processes from it, and each worker gets its own WorkerPlan down a pipe.
Times are in milliseconds.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from pipeline.flow import FlowPolicy
from pipeline.policy import QueuePolicy


class BrokerPlan(Struct, frozen=True):
    """Where the broker is, and when a job is accepted there. `url` is "embedded" or an address; it may hold a
    password. `durability` is a word, or how many replicas must have a job."""

    url: str = "embedded"
    durability: Literal["everysec", "fsync"] | int = "everysec"
    allow_eviction: bool = False

    @property
    def replicas(self) -> int:
        """How many replicas must have a job; 0 when the server alone decides."""
        return self.durability if isinstance(self.durability, int) else 0

    @property
    def durability_words(self) -> str:
        """The durability as the file says it."""
        return f"replicas: {self.replicas}" if self.replicas else str(self.durability)


class RestartPlan(Struct, frozen=True):
    """The back-off of workers that cannot start."""

    delay: int = 1_000
    max: int = 60_000
    give_up_after: int = 5


class ReloadPlan(Struct, frozen=True):
    """Whether the supervisor watches its files, and how often it looks."""

    watch: bool = True
    interval: int = 2_000


class AlertPlan(Struct, frozen=True):
    """Who is told: a receiver at `url`, or at what the secret `file` (from the root) or `env` holds, or a command.

    A secret is read when it is needed, and is no part of the plan.
    """

    url: str | None = None
    secret: str | None = None
    file: str | None = None
    env: str | None = None
    command: tuple[str, ...] = ()
    format: Literal["json", "slack"] = "json"
    throttle: int = 300_000
    events: tuple[str, ...] = ("fatal", "rejected")
    allow_private: bool = False


class SupervisorPlan(Struct, frozen=True):
    stop_timeout: int = 25_000
    lease: int = 15_000
    import_timeout: int = 10_000
    restart: RestartPlan = RestartPlan()
    reload: ReloadPlan = ReloadPlan()


class RecyclePlan(Struct, frozen=True):
    """When a worker process is replaced by a fresh one: after so many jobs, above so many bytes, after so long."""

    max_jobs: int | None = None
    max_memory: int | None = None
    max_age: int | None = None


class PoolPlan(Struct, frozen=True):
    """Worker processes on this host. Each of them serves all of `queues`."""

    queues: tuple[str, ...]
    processes: int = 1
    recycle: RecyclePlan = RecyclePlan()


class SchedulePlan(Struct, frozen=True, kw_only=True):
    """When a job of this name goes into a queue by itself: by `cron` in `timezone`, or `every` so many ms from `start`
    on, or else from 1970. `start` and `end` are ms since 1970, `jitter` ms."""

    queue: str
    job: str
    cron: str | None = None
    every: int | None = None
    timezone: str = "UTC"
    data: Any = None
    start: int | None = None
    end: int | None = None
    limit: int | None = None
    overlap: Literal["allow", "skip", "replace"] = "allow"
    catch_up: Literal["latest", "none", "all"] = "latest"
    jitter: int | None = None


class Plan(Struct, frozen=True):
    """`root` is the project's folder (absolute); `hash` names the content it was made from.

    `inputs` are the files and patterns that it was read from (absolute): the config, what it includes, schemas and
    secrets. `secrets` are the values that nothing may show.
    """

    name: str
    root: str
    file: str
    hash: str
    broker: BrokerPlan
    supervisor: SupervisorPlan
    setup: str | None
    queues: dict[str, QueuePolicy]
    pools: dict[str, PoolPlan]
    alerts: dict[str, AlertPlan] = {}
    profile: str | None = None
    inputs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    schedules: dict[str, SchedulePlan] = {}
    flows: dict[str, FlowPolicy] = {}


class WorkerPlan(Struct, frozen=True):
    """All that one worker process is told. `broker` is an address, never "embedded"."""

    worker: str
    project: str
    root: str
    broker: str
    queues: tuple[QueuePolicy, ...]
    setup: str | None = None
    stop_timeout: int = 25_000
    lease: int = 15_000
    import_timeout: int = 10_000
    alone: bool = False
    """Serves only the jobs that must run in a process of their own."""
    waits: bool = False
    """Takes no job before it is told to: it only shows that the handlers can be imported."""
    json_logs: bool = False
