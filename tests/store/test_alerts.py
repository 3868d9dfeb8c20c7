"""What alerts were told of a queue: one of several supervisors sends, and no more often than it may."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline.store import alerts
from pipeline.store.call import run_blocking
from tests.store.lua.given import Queue

HOLD = 60_000


@pytest.fixture
def queue(broker: str) -> Iterator[Queue]:
    queue = Queue(broker)
    yield queue
    queue.connection.close()


def due(queue: Queue, value: int, *, first: int = 0, throttle: int = 60_000, hold: int = HOLD) -> int | None:
    call = alerts.due("shop", "emails", "dead", value, first=first, throttle=throttle, hold=hold)
    return run_blocking(queue.connection, call)


def sent(queue: Queue, value: int) -> None:
    run_blocking(queue.connection, alerts.sent("shop", "emails", "dead", value))


def test_of_those_who_ask_one_is_to_send(queue: Queue) -> None:
    assert [due(queue, 3) for _ in range(3)] == [0, alerts.LATER, alerts.LATER]
    sent(queue, 3)
    assert due(queue, 3) is alerts.SETTLED


def test_what_was_there_before_anybody_looked_is_told_already(queue: Queue) -> None:
    assert due(queue, 7, first=7) is alerts.SETTLED
    assert due(queue, 8, first=8) == 7


def test_what_came_since_waits_for_the_throttle(queue: Queue) -> None:
    assert due(queue, 1) == 0
    sent(queue, 1)
    assert due(queue, 5) == alerts.LATER
    assert due(queue, 5, throttle=0) == 1


def test_one_that_was_not_sent_is_due_again_after_a_while(queue: Queue) -> None:
    assert due(queue, 2, hold=20) == 0
    assert due(queue, 3, hold=20) == alerts.LATER
    time.sleep(0.03)
    assert due(queue, 3, hold=20) == 0


def test_what_fell_may_rise_again(queue: Queue) -> None:
    assert due(queue, 2) == 0
    sent(queue, 2)
    assert due(queue, 0) is alerts.SETTLED
    assert due(queue, 1) == alerts.LATER
    assert due(queue, 1, throttle=0) == 0


def test_a_clock_that_went_back_holds_nobody_off(queue: Queue) -> None:
    ahead = int(time.time() * 1000) + 10 * HOLD
    queue.send("HSET", f"{queue.name}:alerts", "dead", f"1 {ahead} {ahead}")
    assert due(queue, 2) == 1


def test_one_field_a_subject_is_all_that_is_kept(queue: Queue) -> None:
    for value in range(1, 50):
        due(queue, value, throttle=0, hold=0)
        sent(queue, value)
    assert list(queue.state()) == ["alerts"]
    assert queue.send("HKEYS", f"{queue.name}:alerts") == ["dead"]
