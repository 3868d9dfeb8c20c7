"""When a schedule fires: cron in its time zone over both changes of the clocks, intervals, bounds, what was missed."""

from __future__ import annotations

from datetime import datetime
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan import SchedulePlan
from pipeline.schedule import (
    LATE,
    MOST,
    NICKNAMES,
    Step,
    can_fire,
    jittered,
    moment,
    next_tick,
    problem_of,
    steps,
    ticks,
    when,
    written,
)

YEAR = 365 * 86_400_000


def schedule(cron: str | None = None, timezone: str = "UTC", **more: Any) -> SchedulePlan:
    return SchedulePlan(queue="q", job="j", cron=cron, timezone=timezone, **more)


def fires(one: SchedulePlan, after: str, count: int) -> list[str]:
    """The next ticks, in the schedule's own zone."""
    return [written(tick, one.timezone) for tick in islice(ticks(one, moment(after, one.timezone)), count)]


# --- cron over the changes of the clocks ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "expected"),
    [
        # The hour from two to three does not exist: once, as soon as it is over.
        ("30 2 * * *", "Europe/Paris", "2026-03-28T12:00",
         ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00",
         ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]),
        ("0,30 2 * * *", "Europe/Paris", "2026-03-28T12:00",
         ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"]),
        # The hour from two to three comes twice: a fixed time once, in the first of them.
        ("30 2 * * *", "Europe/Paris", "2026-10-24T12:00",
         ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00",
         ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]),
        # What runs every hour or more often goes by real time, through both of them.
        ("0 * * * *", "Europe/Paris", "2026-10-25T01:30",
         ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"]),
        ("*/30 * * * *", "Europe/Paris", "2026-10-25T02:10+02:00",
         ["2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"]),
        ("0 * * * *", "Europe/Paris", "2026-03-29T00:30",
         ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]),
        # Half an hour of summer time.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00",
         ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]),
        # A day of the month, or a day of the week, as cron has it.
        ("0 9 13 * FRI", "UTC", "2026-11-01",
         ["2026-11-06T09:00:00+00:00", "2026-11-13T09:00:00+00:00", "2026-11-20T09:00:00+00:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01", ["2028-02-29T00:00:00+00:00"]),
        ("@hourly", "UTC", "2026-01-01T00:00", ["2026-01-01T01:00:00+00:00"]),
    ],
)  # fmt: skip
def test_cron_fires_in_its_zone(cron: str, timezone: str, after: str, expected: list[str]) -> None:
    assert fires(schedule(cron, timezone), after, len(expected)) == expected


def test_in_the_second_of_two_equal_hours_a_fixed_time_is_over() -> None:
    one = schedule("30 2 * * *", "Europe/Paris")
    first = moment("2026-10-25T02:30:00+02:00", "UTC")
    for after in ("2026-10-25T02:10:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T02:50:00+01:00"):
        assert moment(after, "UTC") > first
        assert fires(one, after, 1) == ["2026-10-26T02:30:00+01:00"]


CRONS = [
    "30 2 * * *",
    "15 1,2,3 * * *",
    "0 * * * *",
    "*/20 * * * *",
    "5 */2 * * *",
    "0 3 * * SUN",
    "59 23 L * *",
]
ZONES = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kolkata"]


@given(
    cron=st.sampled_from(CRONS),
    timezone=st.sampled_from(ZONES),
    after=st.integers(0, 3 * YEAR).map(lambda ms: moment("2025-06-01", "UTC") + ms),
    share=st.floats(0, 1, exclude_max=True),
)
def test_the_next_tick_is_the_same_whenever_one_looks(
    cron: str, timezone: str, after: int, share: float
) -> None:
    one = schedule(cron, timezone)
    first, second = islice(ticks(one, after), 2)
    assert after < first < second
    between = first + int((second - first) * share)
    assert next_tick(one, between) == second


@given(st.integers(0, 400), st.sampled_from(ZONES))
def test_a_fixed_time_fires_once_every_day(day: int, timezone: str) -> None:
    one = schedule("30 2 * * *", timezone)
    start = moment("2026-01-01", timezone) + day * 86_400_000
    days = [
        datetime.fromtimestamp(tick / 1000, ZoneInfo(timezone)).date()
        for tick in islice(ticks(one, start), 30)
    ]
    assert [(after - before).days for before, after in pairwise(days)] == [1] * 29


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("15 2 * * *", None),
        ("0 9-17/2 1,15 JAN-MAR MON-FRI", None),
        ("0 0 L * *", None),
        *((name, None) for name in NICKNAMES),
        ("@often", "there are @hourly"),
        ("* * * *", "it has 4 fields instead of 5"),
        ("0 0 0 1 1 *", "it has 6 fields instead of 5"),
        ("", "it has 0 fields"),
        ("60 * * * *", "the minute cannot be 60"),
        ("0 24 * * *", "the hour cannot be 24"),
        ("0 0 0 * *", "the day of the month cannot be 0"),
        ("0 0 * 13 *", "the month cannot be 13"),
        ("0 0 * * MOON", "the day of the week cannot be MOON"),
        ("0 0 31-1 * *", "the day of the month cannot be 31-1"),
        (f"{','.join(['1'] * 200)} * * * *", "longer than 200"),
    ],
)
def test_what_is_no_expression_is_told_by_its_field(cron: str, problem: str | None) -> None:
    found = problem_of(cron)
    assert found is None if problem is None else problem in (found or "")


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4,6,9 *", "0 0 31 2 */2"])
def test_a_day_that_does_not_exist_never_fires(cron: str) -> None:
    assert problem_of(cron) is None
    assert not can_fire(schedule(cron))


# --- intervals, bounds, chance ----------------------------------------------------------------------------


def test_an_interval_counts_from_1970_so_that_everybody_finds_the_same_ticks() -> None:
    one = schedule(every=300_000)
    assert list(islice(ticks(one, 1_000_000_000_123), 2)) == [1_000_000_200_000, 1_000_000_500_000]
    assert next_tick(one, 1_000_000_200_000) == 1_000_000_500_000


def test_an_interval_with_a_start_counts_from_there() -> None:
    one = schedule(every=700, start=1_000)
    assert list(islice(ticks(one, 0), 3)) == [1_000, 1_700, 2_400]
    assert next_tick(one, 1_700) == 2_400


def test_ticks_lie_within_start_and_end_both_included() -> None:
    start, end = moment("2026-01-02", "UTC"), moment("2026-01-04", "UTC")
    one = schedule("0 0 * * *", start=start, end=end)
    assert len(list(ticks(one, 0))) == 3
    assert next_tick(one, end) is None
    assert can_fire(one)
    assert not can_fire(schedule("0 12 1 * *", start=start, end=end))


def test_jitter_is_the_same_for_everybody_and_below_its_bound() -> None:
    one = schedule(every=1_000, jitter=500)
    delays = [jittered("a", one, tick) - tick for tick in range(0, 1_000_000, 1_000)]
    assert delays == [jittered("a", one, tick) - tick for tick in range(0, 1_000_000, 1_000)]
    assert min(delays) in range(20)
    assert max(delays) in range(480, 500)
    assert delays != [jittered("b", one, tick) - tick for tick in range(0, 1_000_000, 1_000)]
    assert jittered("a", schedule(every=1_000), 5_000) == 5_000


@pytest.mark.parametrize(
    ("text", "timezone", "expected"),
    [
        ("2026-06-01", "UTC", "2026-06-01T00:00:00+00:00"),
        ("2026-06-01", "Europe/Paris", "2026-06-01T00:00:00+02:00"),
        ("2026-06-01T08:00", "Europe/Paris", "2026-06-01T08:00:00+02:00"),
        ("2026-06-01T08:00:00Z", "Europe/Paris", "2026-06-01T10:00:00+02:00"),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_zone(text: str, timezone: str, expected: str) -> None:
    assert written(moment(text, timezone), timezone) == expected


def test_people_read_when_it_fires() -> None:
    assert when(schedule("15 2 * * *", "Europe/Paris")) == "15 2 * * * Europe/Paris"
    assert when(schedule("@daily")) == "@daily"
    assert when(schedule(every=90_000)) == "every 1m30s"


# --- what was missed --------------------------------------------------------------------------------------


def went(catch_up: str, after: int, now: int) -> list[Step]:
    return steps(schedule(every=1_000, catch_up=catch_up), after, now)


@pytest.mark.parametrize("catch_up", ["latest", "none", "all"])
def test_what_is_in_time_fires_tick_by_tick_however_it_catches_up(catch_up: str) -> None:
    assert went(catch_up, 10_000, 10_999) == []
    assert went(catch_up, 10_000, 12_500) == [Step(11_000, 0, fires=True), Step(12_000, 0, fires=True)]


def test_of_missed_ticks_latest_fires_the_last_none_no_and_all_every_one() -> None:
    one = schedule(every=60_000, catch_up="latest")
    now = 300_000 + LATE + 1
    assert steps(one, 0, now) == [Step(300_000, 4, fires=True)]
    assert steps(schedule(every=60_000, catch_up="none"), 0, now) == [Step(300_000, 5, fires=False)]
    assert [step.tick for step in steps(schedule(every=60_000, catch_up="all"), 0, now)] == [
        60_000, 120_000, 180_000, 240_000, 300_000,
    ]  # fmt: skip


@pytest.mark.parametrize("catch_up", ["latest", "none"])
def test_missed_ticks_before_one_that_is_in_time_are_left_out(catch_up: str) -> None:
    one = schedule(every=60_000, catch_up=catch_up)
    assert steps(one, 0, 300_000 + LATE) == [Step(300_000, 4, fires=True)]


@pytest.mark.parametrize(("catch_up", "jobs"), [("latest", 1), ("none", 0), ("all", 3_500)])
def test_many_missed_ticks_are_gone_through_in_bounded_passes(catch_up: str, jobs: int) -> None:
    one = schedule(every=1_000, catch_up=catch_up, end=3_500_000)
    now = 3_500_000 + LATE + 1
    after = fired = missed = 0
    while found := steps(one, after, now):
        assert len(found) <= MOST
        after = found[-1].tick
        fired += sum(step.fires for step in found)
        missed += sum(step.missed for step in found)
    assert (after, fired, fired + missed) == (3_500_000, jobs, 3_500)
