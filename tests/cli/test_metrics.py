"""`pipeline metrics`: what was kept, and the minute that goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.test_jobs import enqueue

Shop = Any


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """2 jobs came two minutes ago, 3 just now; one of them died, one is completed."""
    shop.publish()
    enqueue(shop, 5)
    shop.end("completed")
    shop.end("dead")
    with shop.connection() as connection:
        minute = int(connection.call(("TIME",))[0]) // 60
        lines = [f"{minute - 2} 0 0 0 0 0", f"{minute - 1} 2 0 0 0 0"]
        connection.call(("RPUSH", "{shop:emails}:minutes", *lines))
    return shop


def test_minutes_are_told_with_the_promised_fields(busy: Shop) -> None:
    told = busy.json("metrics", "emails", "--minutes", "3")["queues"]
    assert list(told) == ["emails"]
    assert list(told["emails"][0]) == ["at", "enqueued", "completed", "failed_attempts", "dead", "cancelled"]
    # The clock may have gone on by a minute since.
    assert [one["enqueued"] for one in told["emails"]] in ([2, 0, 3], [0, 3, 0])
    assert all(one["at"] % 60_000 == 0 for one in told["emails"])


def test_people_get_a_line_of_bars_with_sum_and_peak(busy: Shop) -> None:
    lines = busy.ok("metrics", "emails", "--minutes", "5").splitlines()
    assert lines[0] == "emails, the last 5 minutes"
    assert lines[1].split()[0] == "enqueued"
    assert lines[1].endswith("5  at most 3 a minute")
    assert [line.split("  ")[1] for line in lines[1:]] == [
        "enqueued", "completed", "failed attempts", "dead", "cancelled",
    ]  # fmt: skip


def test_all_queues_are_told_when_none_is_named(busy: Shop) -> None:
    assert list(busy.json("metrics")["queues"]) == ["emails", "payments"]
    assert busy.call("metrics", "email").exit_code == 1
