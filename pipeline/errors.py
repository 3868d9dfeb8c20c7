"""Every error that the product raises, drawn as one tree.

PipelineError
├── ConfigError            the file has mistakes: every finding at once
├── StartError             a process cannot start: its exit code and the reason
├── NotRunning             no supervisor runs that could be asked
├── EnqueueError           a job was refused, and nothing of the call was stored
│   ├── UnknownQueue
│   │   └── QueueRemoved   it was in the file once
│   ├── UnknownJob
│   ├── UnknownFlow
│   ├── InvalidPayload     not JSON, or against its schema
│   ├── PayloadTooLarge
│   ├── InvalidOption      an id, priority or delay out of its range
│   └── NoPolicy           neither a file nor a supervisor says what the queue is
├── JobError               a command that this job cannot take
│   ├── JobNotFound
│   ├── FlowNotFound
│   └── WrongState
├── BrokerError
│   ├── BrokerUnavailable  away, or silent for longer than the time limit
│   │   └── Unconfirmed    the job may be there, but not as safely as durability asks
│   ├── BrokerRefused      it answered with an error
│   │   ├── BrokerFull     its memory or disk is full: nothing was stored
│   │   └── BrokerDenied   the login is wrong, or may not do this
│   └── BrokerUnfit        too old, or set up to lose jobs
├── UnknownAlert           the file declares no alert of this name
├── UnknownSchedule        nor a schedule
├── NotKept                the broker does not remember that generation
├── NotRun                 no worker process serves the queue
├── NotSent                an alert did not reach its receiver
├── LeaseLost              the job or worker was reclaimed meanwhile
└── WorkerCrashed          what a job died of that took its process along

Discard, RetryLater, RateLimited
                           what a handler raises to say how its attempt ends
SoftTimeout                raised inside a handler at its soft limit (a TimeoutError)
JobCancelled               raised inside a plain handler, by `progress` or `log`, when its job was cancelled
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

CANNOT_START = 78
"""The exit code of a process that cannot start."""


class PipelineError(Exception):
    """The root. `message` says what is wrong, `help` what to do; `code` is stable, for programs."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class ConfigError(PipelineError):
    """The file cannot be used. `findings` holds every mistake (config.findings.Finding)."""

    code = "config"

    def __init__(self, message: str, findings: tuple[object, ...] = (), help: str = "") -> None:
        super().__init__(message, help)
        self.findings = findings


class StartError(PipelineError):
    """A process cannot start; `exit_code` is what it should end with."""

    code = "start"

    def __init__(self, message: str, exit_code: int, help: str = "") -> None:
        super().__init__(message, help)
        self.exit_code = exit_code


class NotRunning(PipelineError):
    """No supervisor runs that could be asked."""

    code = "not_running"


class EnqueueError(PipelineError):
    """A job was refused; nothing of the call was stored."""

    code = "refused"


class UnknownQueue(EnqueueError):
    """No queue of that name, in the file or with the supervisor."""

    code = "unknown_queue"


class QueueRemoved(UnknownQueue):
    """The queue was removed from the file; what waits in it stays until it is put back or purged."""

    code = "queue_removed"


class UnknownJob(EnqueueError):
    """The queue has no job of that name."""

    code = "unknown_job"


class UnknownFlow(EnqueueError):
    """No flow of that name, in the file or with the supervisor."""

    code = "unknown_flow"


class InvalidPayload(EnqueueError):
    """The payload is not JSON, or does not fit its schema."""

    code = "invalid_payload"


class PayloadTooLarge(EnqueueError):
    """The payload has more bytes than the queue's `max_payload`."""

    code = "payload_too_large"


class InvalidOption(EnqueueError):
    """An id, priority, delay or other option of the call is not allowed."""

    code = "invalid_option"


class NoPolicy(EnqueueError):
    """A client without a file, on a broker where no supervisor has published yet."""

    code = "no_policy"


class JobError(PipelineError):
    """A command that this job cannot take."""

    code = "job"


class JobNotFound(JobError):
    """No job with that id is kept."""

    code = "not_found"


class FlowNotFound(JobError):
    """No flow with that id is kept."""

    code = "flow_not_found"


class WrongState(JobError):
    """The job is in a state in which the command makes no sense."""

    code = "wrong_state"


class BrokerError(PipelineError):
    """The broker did not do what was asked."""

    code = "broker"


class BrokerUnavailable(BrokerError):
    """The broker is away, or did not answer within the time limit."""

    code = "broker_unavailable"


class Unconfirmed(BrokerUnavailable):
    """The job reached the broker, which did not confirm it within the time limit as `broker.durability` asks."""

    code = "unconfirmed"


class BrokerRefused(BrokerError):
    """The broker answered with an error."""

    code = "broker_refused"


class BrokerFull(BrokerRefused):
    """The broker's memory or disk is full: the job was not stored. What is there already is worked off."""

    code = "broker_full"


class BrokerDenied(BrokerRefused):
    """The broker does not let us in, or does not let us do this."""

    code = "broker_denied"


class BrokerUnfit(BrokerError):
    """The broker is too old, or is set up to lose jobs."""

    code = "broker_unfit"


class UnknownAlert(PipelineError):
    """The file declares no alert of this name."""

    code = "unknown_alert"


class UnknownSchedule(PipelineError):
    """No schedule of that name, in the file or with the supervisor."""

    code = "unknown_schedule"


class NotKept(PipelineError):
    """The broker does not remember that generation."""

    code = "not_found"


class NotRun(PipelineError):
    """No worker process serves the queue."""

    code = "not_run"


class NotSent(PipelineError):
    """An alert did not reach its receiver. The message says why, and shows neither the address nor any of the answer."""

    code = "not_sent"


class LeaseLost(PipelineError):
    """The job, or its whole worker, was reclaimed: what it says now is refused."""

    code = "lease_lost"


class WorkerCrashed(PipelineError):
    """The error of a job that died because its process died under it too often."""

    code = "worker_crashed"


class Discard(Exception):
    """Raised by a handler: the job is dead at once, whatever its policy says."""


class RetryLater(Exception):
    """Raised by a handler: the job comes back after `delay` ("30s" or a timedelta) and no attempt is spent."""

    def __init__(self, delay: str | timedelta, reason: str = "") -> None:
        super().__init__(reason or f"retry in {delay}")
        self.delay = delay


class RateLimited(RetryLater):
    """As RetryLater, and the queue starts nothing before `delay` is over: what it calls has had enough (HTTP 429)."""


class SoftTimeout(TimeoutError):
    """Raised inside a handler when its soft time limit has passed."""


class JobCancelled(Exception):
    """A person cancelled the job that runs. `job.progress` and `job.log` raise it in a plain handler; an async one is
    cancelled as any coroutine is."""
