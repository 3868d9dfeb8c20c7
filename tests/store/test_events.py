"""A watcher is told what happens, with what is kept of each job."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.job import Outcome
from pipeline.store import events
from pipeline.store.events import Event, Missed, Watch
from tests.acl import by_admin

Bench = Any


@pytest.fixture
def watch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(events, "BLOCK_MS", 20)
    watch = Watch("shop", ["emails", "other"])
    watch.renew(bench.connection, 0.0)
    return watch


def told(watch: Watch, bench: Bench) -> list[tuple[str, str, str | None]]:
    found = list(watch.read(bench.connection))
    return [
        (one.event, one.id, one.job.state if one.job else None) for one in found if isinstance(one, Event)
    ]


def test_events_come_with_what_is_kept_of_the_job(bench: Bench, watch: Watch) -> None:
    bench.enqueue(count=2)
    bench.die()
    assert told(watch, bench) == [
        ("enqueued", "1", "dead"),
        ("enqueued", "2", "waiting"),
        ("active", "1", "dead"),
        ("dead", "1", "dead"),
    ]
    bench.operator.remove("2")
    assert told(watch, bench) == [("removed", "2", None)]


def test_a_read_goes_on_where_the_last_one_ended(bench: Bench, watch: Watch) -> None:
    bench.enqueue()
    assert len(told(watch, bench)) == 1
    assert told(watch, bench) == []
    bench.end("completed", outcome=Outcome(1, 1, 2))
    assert [event for event, _, _ in told(watch, bench)] == ["active", "completed"]


def test_what_happened_before_is_not_told(bench: Bench, watch: Watch) -> None:
    bench.enqueue()
    late = Watch("shop", ["emails"])
    late.renew(bench.connection, 0.0)
    assert told(late, bench) == []


def test_a_watcher_renews_in_time_only(bench: Bench, watch: Watch) -> None:
    until = lambda: int(bench.connection.call(("HGET", f"{bench.store.queue}:meta", "watched")))  # noqa: E731
    bench.connection.call(("HSET", f"{bench.store.queue}:meta", "watched", 1))
    watch.renew(bench.connection, 4.9)
    assert until() == 1
    watch.renew(bench.connection, 5.0)
    assert until() > 1
    watch.lost()
    bench.connection.call(("HSET", f"{bench.store.queue}:meta", "watched", 1))
    watch.renew(bench.connection, 5.1)
    assert until() > 1


def test_a_watcher_that_cannot_keep_up_is_told_so(
    bench: Bench, watch: Watch, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ENTRIES", 3)
    bench.enqueue()
    list(watch.read(bench.connection))
    for _ in range(5):
        bench.enqueue()
    by_admin(broker, "XTRIM", f"{bench.store.queue}:events", "MAXLEN", 4)
    found: list[Any] = list(watch.read(bench.connection))
    assert found[0] == Missed("emails")
    assert [one.id for one in found[1:]] == ["3", "4", "5"]


def test_a_watcher_that_was_away_for_too_long_is_told_so(bench: Bench, watch: Watch) -> None:
    watch.renew(bench.connection, 16.0)
    assert list(watch.read(bench.connection)) == [Missed("emails"), Missed("other")]
    watch.renew(bench.connection, 30.0)
    assert list(watch.read(bench.connection)) == []
