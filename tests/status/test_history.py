"""Rates and percentiles of the last minute."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.status.broker import BrokerState
from pipeline.status.history import History
from pipeline.status.queues import QueueState
from pipeline.status.snapshot import Snapshot

IDLE = QueueState(
    waiting=0, delayed=0, active=0, blocked=0, completed=0, dead=0, cancelled=0, paused=False, workers=1,
    oldest_waiting_ms=None, enqueued_total=0, completed_total=0, dead_total=0, cancelled_total=0, redriven_total=0,
    purged_total=0, failed_attempts_total=0, lost_leases_total=0, duplicates_total=0, reruns_total=0,
    paused_by=None, in_file=True, run_ms=None, wait_ms=None,
)  # fmt: skip


def picture(at: int, done: int, run: dict[int, int] | None = None) -> Snapshot:
    queue = msgspec.structs.replace(IDLE, completed_total=done, enqueued_total=2 * done, run_ms=(7.0, 9.0))
    broker = BrokerState("valkey", ok=True)
    return Snapshot(
        "shop", 1, True, broker, [], {"emails": queue}, None, at, {"emails": run or {}}, {"emails": {}}
    )


def test_one_picture_has_no_rate() -> None:
    history = History()
    history.add(picture(1_000, 50))
    pace = history.pace("emails")
    assert (pace.incoming, pace.outgoing) == (0.0, 0.0)
    assert pace.run_ms == (7.0, 9.0)
    assert history.throughput() == [0.0] * 60


def test_rates_are_those_of_the_last_five_seconds() -> None:
    history = History()
    for second in range(20):
        history.add(picture(1_000 * second, 0 if second < 15 else 10 * (second - 14)))
    pace = history.pace("emails")
    assert (pace.incoming, pace.outgoing) == (20.0, 10.0)


def test_percentiles_are_those_of_the_last_minute() -> None:
    history = History()
    history.add(picture(0, 0, {14: 1_000}))
    history.add(picture(1_000, 100, {14: 1_000, 1: 100}))
    run_ms = history.pace("emails").run_ms
    assert run_ms == (0.15, 0.2)


def test_throughput_has_a_value_for_each_whole_second() -> None:
    history = History()
    for tick in range(0, 10_001, 400):
        history.add(picture(tick, tick // 400 * 4))
    values = history.throughput()
    assert values[:50] == [0.0] * 50
    assert values[50:] == pytest.approx([10.0] * 10)


def test_pictures_older_than_a_minute_are_forgotten() -> None:
    history = History()
    for second in range(200):
        history.add(picture(1_000 * second, second))
    assert sum(history.throughput()) == pytest.approx(60.0)
    assert len(history._kept) <= 62


def test_a_server_whose_clock_went_back_begins_anew() -> None:
    history = History()
    history.add(picture(90_000, 500))
    history.add(picture(1_000, 5))
    assert history.throughput() == [0.0] * 60


def test_a_queue_that_just_came_has_no_pace() -> None:
    history = History()
    history.add(picture(0, 0))
    new = picture(1_000, 5)
    history.add(msgspec.structs.replace(new, queues={"new": IDLE}, run={"new": {}}, wait={"new": {}}))
    assert history.pace("new").outgoing == 0.0
