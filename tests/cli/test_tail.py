"""The lines of `pipeline tail`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.cli import tail
from pipeline.store import events
from pipeline.store.events import Missed
from tests.cli.test_jobs import enqueue

Shop = Any


@pytest.fixture
def busy(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Two jobs come, one dies and one is completed, while somebody follows; then Ctrl-C."""
    follow = tail.follow

    def follows(watch: Any, way: Any) -> Iterator[Any]:
        watch.renew(way.open(), time.monotonic())
        enqueue(shop, 2)
        shop.end("dead", error="\x1b[2JTimeoutError")
        shop.end("completed")
        for told in follow(watch, way):
            yield told
            if isinstance(told, events.Event) and (told.id, told.event) == ("2", "completed"):
                yield Missed("emails")
                raise KeyboardInterrupt

    monkeypatch.setattr(tail, "follow", follows)
    return shop


def test_each_event_is_a_line_with_what_people_want_to_know(busy: Shop) -> None:
    result = busy.call("tail")
    assert (result.exit_code, result.stderr) == (0, "emails: some of what happened is not shown\n")
    lines = [line.split(maxsplit=1)[1] for line in result.stdout.splitlines()]
    assert lines == [
        "enqueued  emails 1 welcome",
        "enqueued  emails 2 welcome",
        "active    emails 1 welcome",
        r"dead      emails 1 welcome  5ms \x1b[2JTimeoutError: went wrong",
        "active    emails 2 welcome",
        "completed emails 2 welcome  5ms",
    ]


def test_only_failures_are_shown_to_those_who_ask_for_them(busy: Shop) -> None:
    (line,) = busy.ok("tail", "emails", "--failed", "--json").splitlines()
    told = json.loads(line)
    assert told.pop("at") > 1_600_000_000_000
    assert told == {
        "queue": "emails",
        "id": "1",
        "event": "dead",
        "name": "welcome",
        "attempt": 1,
        "duration_ms": 5,
        "error": {"type": "\x1b[2JTimeoutError", "message": "went wrong"},
    }


def test_an_unknown_queue_is_refused(shop: Shop) -> None:
    result = shop.call("tail", "email")
    assert (result.exit_code, "did you mean 'emails'?" in result.stderr) == (1, True)
