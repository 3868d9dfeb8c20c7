"""One run of a handler: from a held job to how it ended. Knows no broker.

`begin` makes the attempt, the slots call its handler, and `failure` says what an exception means.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import CANNOT_START, Discard, PipelineError, RateLimited, RetryLater, StartError
from pipeline.handler import Handler, load
from pipeline.job import NO_RUNS, AttemptError, Job, Runs, decode_job, decode_runs
from pipeline.policy import JobPolicy, QueuePolicy, RetryPolicy, Timeout
from pipeline.retry import Failure
from pipeline.units import milliseconds, words

STOP = b"!"


class Within(Protocol):
    """What goes around every handler of a process."""

    def __call__(self, call: Callable[[Any], Any], *, is_async: bool) -> Callable[[Any], Any]: ...


class Buffered(Struct, frozen=True, gc=False):
    """A job that this worker holds and has not begun."""

    id: bytes
    lease: int
    record: bytes
    runs: bytes | None = None

    @property
    def priority(self) -> int:
        return decode_job(self.record).options.priority


def handed_over(inbox: list[bytes]) -> list[Buffered]:
    """The jobs that enqueues put into this worker's inbox."""
    entries = [entry.split(b" ", 2) for entry in inbox if entry and entry[:1] != STOP]
    return [Buffered(id, int(lease), record) for lease, id, record in entries]


def told_to_stop(inbox: list[bytes]) -> list[tuple[bytes, int]]:
    """The jobs (id, lease) that a person cancelled."""
    entries = [entry.split(b" ", 2) for entry in inbox if entry[:1] == STOP]
    return [(id, int(lease)) for _, lease, id in entries]


class Told(Exception):
    """In the place of what a handler raised in its own process."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error.message)
        self.failure = failure


class Died(Exception):
    """The process of a job is gone, through the job itself. The message says how."""


class Handling(Struct, frozen=True):
    """How jobs of one name are run. The limits are seconds of an attempt."""

    handler: Handler
    policy: JobPolicy
    soft: float
    hard: float


class Attempt(Struct):
    """A job that is running or has ended. Times are seconds of the monotonic clock."""

    id: bytes
    lease: int
    job: Job[Any]
    runs: Runs
    policy: JobPolicy
    handler: Handler
    begun: float
    soft: float = math.inf
    hard: float = math.inf
    ended: float = 0.0
    result: bytes = b""
    stopped: str = ""
    """Why it was told to stop: soft, hard, release, cancel or lost; `abandoned` once nobody waits for it."""

    @property
    def priority(self) -> int:
        return self.job.options.priority


class Refused(Struct, frozen=True):
    """A job that cannot be run at all: dead at once."""

    id: bytes
    lease: int
    job: Job[Any]
    runs: Runs
    policy: JobPolicy
    failure: Failure


class Table(Struct, frozen=True):
    """A queue's policy, with the handlers that it names."""

    queue: QueuePolicy
    named: dict[str, Handling]
    others: Handling | None

    @property
    def kinds(self) -> set[bool]:
        """Which kinds of handlers there are: True for async ones, False for plain ones."""
        handlings = [*self.named.values(), *([self.others] if self.others else [])]
        return {handling.handler.is_async for handling in handlings}


class Handlers:
    """The handlers of a queue, each loaded once, and the policy that holds now: `table`. `within` is what goes around all
    of them, the innermost first."""

    def __init__(self, policy: QueuePolicy, within: Sequence[Within] = ()) -> None:
        self._loaded: dict[tuple[str, tuple[str, ...]], Handler] = {}
        self._within = within
        self.note: Callable[[Job[Any], str, Any], Awaitable[None]] | None = None
        self.table = self.prepare(policy)

    def prepare(self, policy: QueuePolicy) -> Table:
        """What becomes `table` to use `policy` from the next job on. Raises what importing a handler raises."""
        named = {name: h for name, job in policy.jobs.items() if (h := self._handling(job, policy.executor))}
        others = self._handling(policy.others, policy.executor) if policy.others else None
        return Table(policy, named, others)

    def is_async(self, record: bytes) -> bool:
        """Whether the handler of this job is async; True for one that has none."""
        handling = self.table.named.get(decode_job(record).name, self.table.others)
        return handling is None or handling.handler.is_async

    def begin(self, held: Buffered, now: float, offset: float = 0.0) -> Attempt | Refused:
        """The attempt at a held job, with its deadlines; or why it cannot be run. `offset` turns our ms into the
        server's."""
        try:
            job = decode_job(held.record)
            runs = decode_runs(held.runs) if held.runs else NO_RUNS
        except msgspec.MsgspecError as error:
            job = Job(0, "unreadable", None, id=held.id.decode())
            return self._refuse(held, job, NO_RUNS, f"its record cannot be read: {error}")
        table = self.table
        job.id = held.id.decode()
        job.queue = table.queue.name
        job.note = self.note
        handling = table.named.get(job.name, table.others)
        if handling is None:
            return self._refuse(held, job, runs, f"queue {job.queue!r} has no handler for {job.name!r}")
        policy, handler = handling.policy, handling.handler
        options = job.options
        if options.expires is not None and runs.are_none:
            late = int(now * 1000 + offset) - options.expires
            if late > 0:
                return Refused(held.id, held.lease, job, runs, policy, expired(late))
        job.attempt = runs.attempts + 1
        job.attempts = options.attempts or policy.retry.attempts
        if handler.convert is not None:
            try:
                job.data = handler.convert(job.data)
            except Exception as error:  # noqa: BLE001 - whatever the user's type raises
                return Refused(held.id, held.lease, job, runs, policy, Failure(describe(error), discard=True))
        soft, hard = (handling.soft, handling.hard) if options.timeout is None else seconds(options.timeout)
        return Attempt(held.id, held.lease, job, runs, policy, handler, now, now + soft, now + hard)

    def _handling(self, policy: JobPolicy, executor: str) -> Handling | None:
        if policy.handler is None:
            return None
        if executor == "process":
            # It is loaded where it runs; here it can be stopped at any time, as async ones can.
            elsewhere = Handler(policy.handler, _elsewhere, is_async=True)
            return Handling(elsewhere, policy, *seconds(policy.timeout))
        named = (policy.handler, policy.around)
        if named not in self._loaded:
            self._loaded[named] = enclosed(load(*named), self._within)
        handler = self._loaded[named]
        check_executor(handler, executor)
        return Handling(handler, policy, *seconds(policy.timeout))

    def _refuse(self, held: Buffered, job: Job[Any], runs: Runs, reason: str) -> Refused:
        failure = Failure(AttemptError("UnknownJob", reason), discard=True)
        return Refused(held.id, held.lease, job, runs, self.table.queue.others or JobPolicy(), failure)


def enclosed(handler: Handler, within: Sequence[Within]) -> Handler:
    """The handler with what goes around it; by itself when that is nothing, so that it costs nothing."""
    for around in within:
        handler = replace(handler, call=around(handler.call, is_async=handler.is_async))
    return handler


def _elsewhere(job: Job[Any]) -> None:
    raise TypeError(f"{job.name} runs in a process of its own")


def check_executor(handler: Handler, executor: str) -> None:
    """Raises StartError when the queue's executor cannot run this handler."""
    if executor == "async" and not handler.is_async:
        raise StartError(
            f"{handler.path} is not `async def`, but the queue says executor: async", CANNOT_START
        )
    if executor == "thread" and handler.is_async:
        raise StartError(f"{handler.path} is `async def`, but the queue says executor: thread", CANNOT_START)


def retry_policy(job: Job[Any], policy: JobPolicy) -> RetryPolicy:
    """The queue's policy with what this one job brings of its own."""
    own = job.options
    if own.attempts is None and own.backoff is None:
        return policy.retry
    retry = policy.retry
    return RetryPolicy(
        own.attempts or retry.attempts, own.backoff or retry.backoff, retry.retry_on, retry.discard_on
    )


def failure(error: BaseException) -> Failure:
    """What an exception of a handler means."""
    if isinstance(error, Told):
        return error.failure
    if isinstance(error, Discard):
        return Failure(describe(error), discard=True)
    if isinstance(error, RetryLater):
        try:
            later = milliseconds(error.delay)
            return Failure(describe(error), later=later, hold=isinstance(error, RateLimited))
        except (PipelineError, TypeError, ValueError) as wrong:
            return Failure(describe(wrong))
    return Failure(describe(error))


def expired(late: int) -> Failure:
    """The end of a job that did not begin in time, by so many ms."""
    return Failure(
        AttemptError("Expired", f"it did not begin in time, and is {words(late)} late"), expired=True
    )


def seconds(limit: Timeout) -> tuple[float, float]:
    """The soft and the hard limit in seconds."""
    soft, hard = (math.inf if ms is None else ms / 1000 for ms in (limit.soft, limit.hard))
    return soft, hard


def timed_out(limit: Timeout) -> Failure:
    """The failure of an attempt that passed its hard limit."""
    seconds = (limit.hard or 0) / 1000
    return Failure(AttemptError("TimeoutError", f"ran for more than {seconds:g} s", "", ("TimeoutError",)))


def describe(error: BaseException) -> AttemptError:
    """An exception as plain text, with the names of its classes."""
    mro = tuple(class_name(cls) for cls in type(error).__mro__)
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may raise anything
        message = f"<its text cannot be made: {type(broken).__name__}>"
    text = "".join(traceback.format_exception(error, limit=-50))
    return AttemptError(type(error).__qualname__, _storable(message), _storable(text), mro)


def _storable(text: str) -> str:
    """Text that JSON can hold: a file's name may bring lone surrogates into a message."""
    return text.encode(errors="backslashreplace").decode()


def class_name(cls: type) -> str:
    """`module:Class` as in `retry_on`; the bare name for a builtin."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}:{cls.__qualname__}"
