"""What a worker, a producer or a supervisor needs of the config, as plain values.

They cross process borders as JSON (msgspec) and know neither the file nor pydantic. Times are
integers in milliseconds, sizes integers in bytes; `None` means no limit.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

MAX_PRIORITY = 1_000_000
MAX_CONCURRENCY = 1_000
MAX_PROCESSES = 1_024
ID_PATTERN = r"[A-Za-z0-9_.:@-]{1,128}"
NAME_PATTERN = r"[a-z0-9][a-z0-9_.-]{0,63}"


class Backoff(Struct, frozen=True):
    """The pause before attempt n+1: `delay`, `n * delay`, `delay * 2**(n-1)` or `delays[n-1]`."""

    type: Literal["fixed", "linear", "exponential", "list"]
    delay: int = 0
    max: int | None = None
    jitter: float = 0.0
    delays: tuple[int, ...] = ()


class RetryPolicy(Struct, frozen=True):
    """`attempts` counts the first run too. `retry_on` of None retries everything."""

    attempts: int = 1
    backoff: Backoff | None = None
    retry_on: tuple[str, ...] | None = None
    discard_on: tuple[str, ...] = ()


class Timeout(Struct, frozen=True):
    """`soft` raises SoftTimeout in the handler; `hard` ends the attempt."""

    soft: int | None = None
    hard: int | None = None


class Retention(Struct, frozen=True):
    """How many ended jobs are kept, and for how long."""

    count: int | None = None
    age: int | None = None


class Rate(Struct, frozen=True):
    """At most `max` starts within any `per` ms, over all hosts."""

    max: int
    per: int


class Batching(Struct, frozen=True):
    """A handler gets up to `size` jobs at once, and waits at most `wait` ms for more than one."""

    size: int
    wait: int = 0


class Lanes(Struct, frozen=True):
    """What holds for each value of the template `key` apart. `strict`: one at a time, in the order in which they came.
    `fair`: lanes take turns."""

    key: str
    max_active: int | None = None
    rate_limit: Rate | None = None
    strict: bool = False
    fair: bool = False


class DeadLetter(Struct, frozen=True):
    """What a death brings about: a copy of the job in another `queue`, and word to an `alert`."""

    queue: str | None = None
    alert: str | None = None


class WaitLimit(Struct, frozen=True):
    """`alert` gets word when a job waits for more than `max` ms."""

    max: int
    alert: str


class Deduplication(Struct, frozen=True):
    """`key` is a template; `ttl` is the window of `throttle`, and the delay of `debounce`, in ms."""

    key: str
    mode: Literal["until_done", "throttle", "debounce", "keep_last"] = "until_done"
    ttl: int | None = None


class JobPolicy(Struct, frozen=True):
    """What holds for one job name of a queue, after every default was merged."""

    handler: str | None = None
    timeout: Timeout = Timeout()
    retry: RetryPolicy = RetryPolicy()
    priority: int = 0
    deduplication: Deduplication | None = None
    expires: int | None = None
    around: tuple[str, ...] = ()
    """What runs around the handler, outermost first."""
    schema: dict[str, Any] | None = None
    """The JSON Schema of the payload, as data."""


class QueuePolicy(Struct, frozen=True):
    """One queue. `jobs` are the names listed in the file; `others` is what holds for every other
    name (None: no other name is known)."""

    name: str
    jobs: dict[str, JobPolicy] = {}
    others: JobPolicy | None = None
    concurrency: int = 10
    max_active: int | None = None
    rate_limit: Rate | None = None
    lanes: Lanes | None = None
    wait_limit: WaitLimit | None = None
    dead_letter: DeadLetter = DeadLetter()
    completed: Retention = Retention(100, 3_600_000)
    dead: Retention = Retention(10_000, 14 * 86_400_000)
    ids_keep: int = 86_400_000
    max_crashes: int = 3
    max_payload: int = 1_048_576
    executor: Literal["auto", "async", "thread", "process"] = "auto"
    executor_max_jobs: int | None = None
    """After so many jobs the process of a slot is replaced."""
    batch: Batching | None = None
    paused: bool = False
    redact: tuple[str, ...] = ()
    """What the web never shows of its jobs: `data.card`, `data.items.*.email`."""

    @property
    def at_once(self) -> int:
        """How many jobs one process runs at once."""
        return self.concurrency * (self.batch.size if self.batch else 1)

    @property
    def every_job(self) -> list[JobPolicy]:
        """What holds for each job name, and for the names that are not listed."""
        return [*self.jobs.values(), *([self.others] if self.others else [])]

    @property
    def has_rate(self) -> bool:
        """Whether the starts of jobs are counted, of the queue or of its lanes."""
        return self.rate_limit is not None or (self.lanes is not None and self.lanes.rate_limit is not None)

    def job(self, name: str) -> JobPolicy | None:
        """What holds for this job name, or None when the queue does not know it."""
        return self.jobs.get(name, self.others)
