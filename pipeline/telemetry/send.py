"""A span around each enqueue, and its context on the way to the job. Imported only where that is wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import metrics, propagate, trace
from opentelemetry.trace import Span, SpanKind

from pipeline.broker import Address
from pipeline.errors import PipelineError
from pipeline.store.store import Accepted
from pipeline.telemetry.names import BOUNDS, error_type, operation

SEND = "enqueue"


class Sender:
    """One for a client. `address` is the broker's."""

    def __init__(self, address: Address, version: str) -> None:
        self._server: dict[str, Any] = {"server.address": address.path}
        for node in address.nodes[:1]:
            self._server = {"server.address": node.host, "server.port": node.port}
        self._tracer = trace.get_tracer("pipeline", version)
        meter = metrics.get_meter("pipeline", version)
        self._duration = meter.create_histogram(
            "messaging.client.operation.duration",
            "s",
            "How long enqueues took.",
            explicit_bucket_boundaries_advisory=BOUNDS,
        )
        self._sent = meter.create_counter("messaging.client.sent.messages", "{message}", "Jobs put in.")

    @contextmanager
    def sending(self, queue: str, names: Sequence[str]) -> Iterator[Sending]:
        """Around one call that puts jobs of these names in: what they carry, and who is told how it ended."""
        common = operation(SEND, "send", queue) | self._server
        begun = time.monotonic()
        with self._tracer.start_as_current_span(
            f"send {queue}", kind=SpanKind.PRODUCER, attributes=common | _of_jobs(names)
        ) as span:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            try:
                yield Sending(span, carrier)
            except PipelineError as error:
                common |= {"error.type": error_type(error)}
                span.set_attribute("error.type", error_type(error))
                raise
            finally:
                self._duration.record(time.monotonic() - begun, common)
                self._sent.add(len(names), common)


class Sending:
    """One enqueue under way. `carrier` goes with each of its jobs."""

    def __init__(self, span: Span, carrier: dict[str, str]) -> None:
        self._span = span
        self.carrier = carrier

    def sent(self, answers: Sequence[Accepted]) -> None:
        """These are the answers."""
        if len(answers) == 1:
            self._span.set_attribute("messaging.message.id", answers[0].id)
            self._span.set_attribute("pipeline.enqueue.status", answers[0].status)


def _of_jobs(names: Sequence[str]) -> dict[str, Any]:
    own = {"pipeline.job.name": names[0]} if len(set(names)) == 1 else {}
    return own if len(names) == 1 else own | {"messaging.batch.message_count": len(names)}
