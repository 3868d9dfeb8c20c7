"""The effective config means the same as the file, tells where each value is from, and no password."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.load import Loaded, load
from pipeline.config.show import effective

Load = Callable[..., Loaded]
Write = Callable[[str], Path]


SHOP = """\
name: shop
broker: {url: "${BROKER:-embedded}"}
setup: handlers.boot:init
supervisor: {stop_timeout: 1m30s}
retries:
  std: {attempts: 3, backoff: {type: list, delays: [500ms, 1s]}, discard_on: [ValueError]}
defaults: {timeout: 30s, retry: std}
queues:
  payments:
    jobs:
      capture: {handler: 'p:c', deduplication: {key: "{data.a}-{queue}", mode: throttle, ttl: 1h}}
    max_active: 30
    timeout: {soft: 8s, hard: null}
  "007": {handler: null, max_payload: 10MB, retry: null, timeout: null, paused: true}
  null: {handler: 'm:f', retention: {completed: {count: 0, age: null}}}
"""


def test_reading_it_again_gives_the_same_plan(loaded: Load, write: Write) -> None:
    first = loaded(SHOP)
    again = load(write(effective(first)), env={})
    assert first.plan is not None
    assert again.plan == first.plan


def test_it_tells_the_line_of_every_value(loaded: Load) -> None:
    lines = effective(loaded(SHOP), "payments", origin=True).splitlines()
    origins = {line.split("  # ")[0].strip(): line.rpartition(":")[2] for line in lines if "  # " in line}
    assert origins["stop_timeout: 1m30s"] == "4"
    assert origins["attempts: 3"] == "6"
    assert origins["soft: 8s"] == origins["hard: null"] == "13"
    assert origins["max_active: 30"] == "12"
    assert next(line for line in lines if "concurrency: 10 " in line).endswith("# built-in")


def test_one_queue_can_be_asked_for(loaded: Load) -> None:
    text = effective(loaded(SHOP), "payments")
    assert "capture:" in text
    assert "007" not in text
    with pytest.raises(KeyError):
        effective(loaded(SHOP), "nope")


def test_a_password_from_the_environment_is_hidden(loaded: Load) -> None:
    result = loaded(SHOP, {"BROKER": "redis://shop:hunter2@host:6379/0"})
    assert result.plan is not None
    assert result.plan.broker.url == "redis://shop:hunter2@host:6379/0"
    for origin in (False, True):
        assert "redis://shop:***@host:6379/0" in effective(result, origin=origin)
        assert "hunter2" not in effective(result, origin=origin)
