"""What should run, as plain values: the config with every reference and default resolved.

The supervisor starts processes from it, and each worker gets its own WorkerPlan down a pipe.
Times are in milliseconds.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from pipeline.flow import FlowPolicy
from pipeline.policy import QueuePolicy
from pipeline.webhook import WebhookPlan


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


Role = Literal["viewer", "operator", "admin"]
"""Who may do what: look; act on jobs; also delete many, scale, and go back to older files. Each may all of the one before."""


class UserPlan(Struct, frozen=True):
    """Who signs in with a password, of which this is the hash (`pipeline password`), or else through the proxy."""

    role: Role
    password: str | None = None


class TokenPlan(Struct, frozen=True):
    """A program that shows the secret in the file `file` (from the root) or the variable `env`. It is read when needed."""

    role: Role
    secret: str
    file: str | None = None
    env: str | None = None


class ProxyPlan(Struct, frozen=True):
    """A proxy in one of `networks`. With `header` it names users whom it signed in; those of the file have their own role."""

    networks: tuple[str, ...]
    header: str | None = None
    role: Role = "viewer"


class TlsPlan(Struct, frozen=True):
    """The files, from the root, of a certificate with its chain and of its key."""

    certificate: str
    key: str


class HttpPlan(Struct, frozen=True):
    """What the web process listens on: `listen` for the dashboard, the API, health and metrics, `ingress` for webhooks.

    `path` is the prefix behind a proxy ("/queues", or ""), `hosts` the names that requests may be for.
    """

    listen: str = "127.0.0.1:9400"
    ingress: str = "127.0.0.1:9401"
    path: str = ""
    hosts: tuple[str, ...] = ()
    tls: TlsPlan | None = None
    auth: Literal["required", "none"] = "required"
    users: dict[str, UserPlan] = {}
    tokens: dict[str, TokenPlan] = {}
    proxy: ProxyPlan | None = None


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
    http: HttpPlan | None = None
    webhooks: dict[str, WebhookPlan] = {}

    @property
    def web(self) -> HttpPlan | None:
        """What a web process listens on, or None when the file asks for none: it has neither `http` nor webhooks."""
        return self.http or (HttpPlan() if self.webhooks else None)


class WebPlan(Struct, frozen=True):
    """All that the web process is told at first. `broker` is an address, never "embedded"; `generation` is the plan's.

    `listen` and `ingress` are the addresses that it really has, with their ports.
    """

    plan: Plan
    broker: str
    generation: int
    listen: str
    ingress: str
    json_logs: bool = False

    @property
    def http(self) -> HttpPlan:
        """What the file says of the web process."""
        return self.plan.web or HttpPlan()


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
