"""A job and what is kept of it, as plain values, and how they are written in the broker.

A record is a JSON array `[enqueued_at, name, data, options?]`; what happened to the job later stands beside it:
`Runs` (earlier attempts) and `Outcome` (its end). Times are ms since 1970, by the server's clock.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from pipeline.errors import PipelineError
from pipeline.policy import Backoff, Timeout

Data = TypeVar("Data")
State = Literal["waiting", "delayed", "active", "blocked", "completed", "dead", "cancelled"]

KEPT_ERRORS = 5
TRACEBACK_BYTES = 32 * 1024
MESSAGE_CHARACTERS = 4096
LOG_LINE_BYTES = 1024


class LetterError(Struct, frozen=True):
    """Why a job died. Its traceback is kept with that job."""

    type: str
    message: str


class Letter(Struct, frozen=True):
    """Whose copy a job of a dead-letter queue is: that job's queue and id, the attempt that it died at, and why."""

    queue: str
    id: str
    attempt: int
    error: LetterError


class Options(Struct, frozen=True, omit_defaults=True):
    """What one job has of its own; `key` is its `until_done` deduplication key, to be freed at its end. One that did
    not begin until `expires` (ms since 1970) is cancelled. `dead_letter`: it is a copy of one that died. `flow` is the id
    of the flow whose step it is. `keep`: how long its id stays taken, in ms, if not as long as its queue says. `trace` is
    the context of who put it in, as OpenTelemetry propagates it.
    """

    priority: int = 0
    attempts: int | None = None
    backoff: Backoff | None = None
    timeout: Timeout | None = None
    key: str = ""
    expires: int | None = None
    dead_letter: Letter | None = None
    flow: str = ""
    keep: int | None = None
    trace: dict[str, str] | None = None

    def kept(self, otherwise: int) -> int:
        """How long the job's id stays taken after its end, in ms."""
        return otherwise if self.keep is None else self.keep


NO_OPTIONS = Options()


class Job(Struct, Generic[Data], array_like=True, weakref=True):
    """What a handler gets. `attempt` counts from 1; `attempts` is the limit with the first run."""

    enqueued_at: int
    name: str
    data: Data
    options: Options = NO_OPTIONS
    id: str = ""
    queue: str = ""
    attempt: int = 1
    attempts: int = 1
    note: Callable[[Job[Any], str, Any], Awaitable[None]] | None = None

    @property
    def dead_letter(self) -> Letter | None:
        """In a dead-letter queue: whose copy this job is, and why that one died."""
        return self.options.dead_letter

    def progress(self, value: Any) -> Awaitable[None]:
        """Show how far the job is: any JSON value. `await` it, or call it plainly in a sync handler."""
        return self._tell("progress", value)

    def log(self, line: str) -> Awaitable[None]:
        """Keep a line with the job: 100 lines of 1 KiB at most. `await` it, or call it plainly."""
        return self._tell("log", line)

    @property
    def flow(self) -> str | None:
        """The id of the flow that this job is a step of."""
        return self.options.flow or None

    def needs(self) -> Any:
        """The results of the steps that this one needs, by their names: of a `for_each` step the list of all, and None
        in place of what failed. To an `on_failure` step, those of all steps. `await` it, or call it plainly.

        Raises BrokerUnavailable when the broker is away, PipelineError when the job is no step of a flow.
        """
        return self._ask("needs")

    def failures(self) -> Any:
        """What failed in the flow, for its `on_failure` steps: a list of {"step", "type", "message"}; of the flow's own
        time limit, with the step None. `await` it, or call it plainly."""
        return self._ask("failures")

    def _ask(self, kind: str) -> Any:
        if self.note is None or not self.flow:
            raise PipelineError(f"job {self.id} of {self.queue!r} is no step of a flow: it needs no other")
        return self.note(self, kind, None)

    def _tell(self, kind: str, value: Any) -> Awaitable[None]:
        return self.note(self, kind, value) if self.note is not None else SENT


class Sent:
    """An awaitable that is done. Unlike a coroutine it may be left unawaited, as a sync handler does."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


SENT = Sent()


class AttemptError(Struct, frozen=True):
    """Why an attempt failed. `mro` names the error's classes for `retry_on` and `discard_on`; it is not kept."""

    type: str
    message: str
    traceback: str = ""
    mro: tuple[str, ...] = ()


class KeptError(Struct, frozen=True, array_like=True):
    """An error as it is kept with its job."""

    attempt: int
    at: int
    type: str
    message: str
    traceback: str = ""


class Runs(Struct, frozen=True, array_like=True):
    """Spent attempts, crashes, and the errors of the last five attempts, the newest last. `redriven` counts the
    redrives of a job whose queue has a dead-letter queue: each of its deaths gets a letter of its own.
    """

    attempts: int = 0
    crashes: int = 0
    errors: tuple[KeptError, ...] = ()
    redriven: int = 0

    @property
    def are_none(self) -> bool:
        """Whether the job was never begun, since it came or was redriven."""
        return not (self.attempts or self.crashes or self.errors)

    def failed(self, error: AttemptError, at: int, *, spent: bool) -> Runs:
        """These runs and one more that failed."""
        attempt = self.attempts + 1
        message, traceback = error.message[:MESSAGE_CHARACTERS], error.traceback[-TRACEBACK_BYTES:]
        kept = KeptError(attempt, at, error.type, message, traceback)
        spent_now = attempt if spent else self.attempts
        return Runs(spent_now, self.crashes, (*self.errors, kept)[-KEPT_ERRORS:], self.redriven)

    def crashed(self) -> Runs:
        """These runs and one whose process died."""
        return Runs(self.attempts, self.crashes + 1, self.errors, self.redriven)


NO_RUNS = Runs()


class Outcome(Struct, frozen=True, array_like=True):
    """How a job ended: the attempt it ended at, when that ran, and its result or error."""

    attempt: int
    started_at: int | None
    finished_at: int
    result: Any = None
    error: KeptError | None = None


encode = msgspec.json.Encoder().encode
decode_job = msgspec.json.Decoder(Job).decode
decode_sealed = msgspec.json.Decoder(Job[msgspec.Raw]).decode
"""A job whose payload stays as it was written."""
decode_runs = msgspec.json.Decoder(Runs).decode
decode_outcome = msgspec.json.Decoder(Outcome).decode


def encode_record(at: int, name: str, data: Any, options: Options = NO_OPTIONS) -> bytes:
    """A record. `at` is the server's time, as the producer knows it.

    Raises TypeError, ValueError, OverflowError or RecursionError when `data` is not JSON.
    """
    return encode((at, name, data) if options is NO_OPTIONS else (at, name, data, options))


def has_nan(value: Any) -> bool:
    """Whether a number in `value` is none that JSON knows: the encoder would write null for it."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(has_nan, value.values()))
    return isinstance(value, list | tuple | set) and any(map(has_nan, value))
