"""What should run, as plain values: the config with every reference and default resolved.

The supervisor starts processes from it, and each worker gets its own WorkerPlan down a pipe.
Times are in milliseconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pipeline.policy import QueuePolicy


class BrokerPlan(Struct, frozen=True):
    """Where the broker is. `url` is "embedded" or an address; it may hold a password."""

    url: str = "embedded"
    durability: Literal["everysec", "fsync"] = "everysec"
    allow_eviction: bool = False


class RestartPlan(Struct, frozen=True):
    """The back-off of workers that cannot start."""

    delay: int = 1_000
    max: int = 60_000
    give_up_after: int = 5


class SupervisorPlan(Struct, frozen=True):
    stop_timeout: int = 25_000
    lease: int = 15_000
    import_timeout: int = 10_000
    restart: RestartPlan = RestartPlan()


class PoolPlan(Struct, frozen=True):
    """The worker processes of one queue on this host."""

    queue: QueuePolicy
    processes: int = 1


class Plan(Struct, frozen=True):
    """`root` is the project's folder (absolute); `hash` names the content it was made from."""

    name: str
    root: str
    file: str
    hash: str
    broker: BrokerPlan
    supervisor: SupervisorPlan
    setup: str | None
    pools: dict[str, PoolPlan]


class WorkerPlan(Struct, frozen=True):
    """All that one worker process is told. `broker` is an address, never "embedded"."""

    worker: str
    project: str
    root: str
    broker: str
    queue: QueuePolicy
    setup: str | None = None
    stop_timeout: int = 25_000
    lease: int = 15_000
    import_timeout: int = 10_000
    alone: bool = False
    """Serves only the jobs that must run in a process of their own."""
    json_logs: bool = False
