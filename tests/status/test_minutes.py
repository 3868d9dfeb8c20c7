"""Totals that were kept now and then become what happened in each minute."""

from __future__ import annotations

import pytest

from pipeline.status.minutes import MINUTE_MS, Minute, Sample, Totals, grouped, minutes, sample

NOW = 100 * MINUTE_MS + 30_000


def completed(kept: list[tuple[int, int]], now: int, count: int) -> list[int]:
    samples = [Sample(minute, Totals(completed=total)) for minute, total in kept]
    return [minute.happened.completed for minute in minutes(samples, Totals(completed=now), NOW, count)]


def test_a_minute_holds_what_came_between_its_edges() -> None:
    assert completed([(98, 10), (99, 15), (100, 40)], 41, 4) == [0, 5, 25, 1]


def test_a_minute_in_which_nothing_changed_has_no_sample() -> None:
    assert completed([(95, 10), (99, 15)], 18, 6) == [0, 0, 0, 5, 0, 3]


def test_what_came_before_the_first_sample_is_not_known() -> None:
    assert completed([(100, 10)], 12, 3) == [0, 0, 2]
    assert completed([], 12, 3) == [0, 0, 0]


def test_totals_of_a_server_that_lost_some_are_no_negative_counts() -> None:
    assert completed([(99, 50), (100, 20)], 25, 2) == [0, 5]


def test_minutes_begin_on_the_minute() -> None:
    assert minutes([], Totals(), NOW, 2) == [
        Minute(99 * MINUTE_MS, Totals()),
        Minute(100 * MINUTE_MS, Totals()),
    ]


def test_a_line_of_the_broker_is_read() -> None:
    assert sample(b"29000000 7 5 2 1 0") == Sample(29_000_000, Totals(7, 5, 2, 1, 0))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, 3], [1, 2, 3]), ([1, 2, 3, 4, 5], [1, 5, 9]), ([1, 2, 3, 4, 5, 6], [3, 7, 11])],
)
def test_bars_stand_for_groups_of_minutes(values: list[int], expected: list[int]) -> None:
    assert grouped(values, 3) == expected
