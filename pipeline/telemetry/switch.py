"""Whether spans and metrics go out by OpenTelemetry: only where its standard variables say so, and the extra is there.

Nothing of it is imported before; whoever asks pays a few looks into the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec

ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
EXPORTERS = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER")
MISSING = "OpenTelemetry is configured, but not installed: pip install 'pipeline-queues[otel]'"


def is_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names an exporter, or where to send to."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    named = [environ.get(name, "none").strip().lower() for name in EXPORTERS]
    return any(environ.get(name) for name in ENDPOINTS) or any(one not in ("", "none") for one in named)


def is_installed() -> bool:
    """Whether the extra `otel` is."""
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None


def begin(project: str, process: str) -> Callable[[], None]:
    """Send spans and metrics of this process, where that is wanted; the result sends what is left, and returns soon.
    Call it once the user's code had its chance to do so in its own way."""
    if is_wanted() and is_installed():
        from pipeline.telemetry.sdk import start

        return start(project, process)
    return lambda: None


def producers_trace(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether enqueues are traced: where the environment says so, or the program has set up tracing itself."""
    if is_wanted(environ):
        return find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    provider = trace.get_tracer_provider()
    return not isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def parents(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a job's span continues the trace of who enqueued it, instead of linking to it."""
    return environ.get("PIPELINE_TRACE_PARENT", "").strip().lower() in ("1", "true")
