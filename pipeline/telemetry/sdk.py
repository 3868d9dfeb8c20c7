"""Where spans and metrics go, by the standard variables: set up once in a process of ours, unless the user's code did."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

FLUSH_SECONDS = 2.0
_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
log = logging.getLogger("pipeline.telemetry")


def start(project: str, worker: str) -> Callable[[], None]:
    """Send spans and metrics of this process from now on. The result sends what is left, within a few seconds.

    A provider that the user's code has set is left as it is. What cannot be set up is told in the log, once.
    """
    resource = _resource(project, worker)
    flushes: list[Callable[[], Any]] = []
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider) and (found := _exporter("traces")):
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(found()))
        trace.set_tracer_provider(tracers)
        flushes.append(tracers.force_flush)
    if not isinstance(metrics.get_meter_provider(), MeterProvider) and (found := _exporter("metrics")):
        meters = MeterProvider([PeriodicExportingMetricReader(found())], resource)
        metrics.set_meter_provider(meters)
        flushes.append(meters.force_flush)
    return lambda: _flush(flushes)


def _resource(project: str, worker: str) -> Resource:
    own = {"service.instance.id": worker}
    told = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in told:
        own["service.name"] = project
    return Resource.create(own)


def _exporter(signal: str) -> Callable[[], Any] | None:
    """What makes the exporter of `traces` or `metrics` that the environment names; None for none."""
    sent = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{which}ENDPOINT") for which in ("", f"{signal.upper()}_"))
    name = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() or (
        "otlp" if sent else "none"
    )
    if name == "none":
        return None
    if name == "otlp":
        protocol = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or os.environ.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
        )
        name = _PROTOCOLS.get(protocol, protocol)
    for entry in entry_points(group=f"opentelemetry_{signal}_exporter", name=name):
        made: Callable[[], Any] = entry.load()
        return made
    log.warning("no %s go out: there is no exporter %r; install the package that has it", signal, name)
    return None


def _flush(flushes: list[Callable[[], Any]]) -> None:
    # A collector that is away must not keep the process.
    threads = [threading.Thread(target=flush, daemon=True) for flush in flushes]
    for thread in threads:
        thread.start()
    until = time.monotonic() + FLUSH_SECONDS
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
