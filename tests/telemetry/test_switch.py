"""OpenTelemetry is on where its standard variables say so, and nowhere else."""

from __future__ import annotations

import pytest

from pipeline.telemetry import switch
from pipeline.telemetry.switch import MISSING, is_wanted, parents, producers_trace
from pipeline.worker.surround import surroundings


@pytest.mark.parametrize(
    ("environ", "on"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_environment_decides(environ: dict[str, str], on: bool) -> None:
    assert is_wanted(environ) is on
    assert producers_trace(environ) is on


def test_spans_are_linked_unless_one_wants_them_as_children() -> None:
    assert not parents({})
    assert not parents({"PIPELINE_TRACE_PARENT": "0"})
    assert parents({"PIPELINE_TRACE_PARENT": "true"})


def test_a_worker_that_lacks_the_extra_says_so_and_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setattr(switch, "find_spec", lambda _: None)
    assert surroundings("w1", json_logs=False) == []
    assert MISSING in caplog.text
    assert not producers_trace()
