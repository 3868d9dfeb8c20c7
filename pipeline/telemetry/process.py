"""A span around each call of a handler. Imported only where that is wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from pipeline import __version__
from pipeline.errors import RetryLater
from pipeline.job import Job
from pipeline.telemetry.names import BOUNDS, error_type, operation
from pipeline.telemetry.switch import parents

PROCESS = "process"
Call = Callable[[Any], Any]


class Processing:
    """One for a process. `worker` is its name; with `parents` a job's span is a child of who enqueued it."""

    def __init__(self, worker: str, *, parents: bool = parents()) -> None:
        self._worker = worker
        self._parents = parents
        # Who provides them may be set up later: these wait for it.
        self._tracer = trace.get_tracer("pipeline", __version__)
        meter = metrics.get_meter("pipeline", __version__)
        self._duration = meter.create_histogram(
            "messaging.process.duration",
            "s",
            "How long handlers ran.",
            explicit_bucket_boundaries_advisory=BOUNDS,
        )
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages", "{message}", "Jobs given to handlers."
        )

    def __call__(self, call: Call, *, is_async: bool) -> Call:
        """`call`, a handler, with a span around it."""

        def plain(job: Any) -> Any:
            with self._span(job):
                return call(job)

        async def awaited(job: Any) -> Any:
            with self._span(job):
                return await call(job)

        return awaited if is_async else plain

    @contextmanager
    def _span(self, given: Any) -> Iterator[None]:
        jobs: list[Job[Any]] = given if isinstance(given, list) else [given]
        common = operation(PROCESS, "process", jobs[0].queue)
        attributes = common | {"messaging.client.id": self._worker} | _of_jobs(jobs, batch=given is jobs)
        context, links = self._origin(jobs)
        begun = time.monotonic()
        with self._tracer.start_as_current_span(
            f"process {jobs[0].queue}",
            context,
            SpanKind.CONSUMER,
            attributes,
            links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except RetryLater:
                raise  # the job comes back as its handler wishes: that is no failure
            except BaseException as error:
                common |= {"error.type": error_type(error)}
                span.set_attribute("error.type", error_type(error))
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR, str(error)))
                raise
            finally:
                self._duration.record(time.monotonic() - begun, common)
                self._consumed.add(len(jobs), common)

    def _origin(self, jobs: list[Job[Any]]) -> tuple[Context | None, list[Link]]:
        """The context that the span continues (None: that of this task), and what it links to."""
        found = [propagate.extract(job.options.trace) for job in jobs if job.options.trace]
        if self._parents and len(found) == len(jobs) == 1:
            return found[0], []
        spans = [trace.get_current_span(context).get_span_context() for context in found]
        # Jobs that came in one call have one; and the span begins a trace, wherever this is called from.
        known = {span.span_id: span for span in spans if span.is_valid}
        return Context(), list(map(Link, known.values()))


def _of_jobs(jobs: list[Job[Any]], *, batch: bool) -> dict[str, Any]:
    first = jobs[0]
    if batch:
        return {"pipeline.job.name": first.name, "messaging.batch.message_count": len(jobs)}
    own: dict[str, Any] = {
        "messaging.message.id": first.id,
        "pipeline.job.name": first.name,
        "pipeline.job.attempt": first.attempt,
        "pipeline.job.max_attempts": first.attempts,
        "pipeline.job.priority": first.options.priority,
    }
    return own | ({"messaging.message.conversation_id": first.flow} if first.flow else {})
