"""What handlers wrote is read as runs, and rates and recoveries are taken of it."""

from __future__ import annotations

import pytest

from faults import events
from faults.events import Event


def begin(number: int, pid: int, at: float) -> Event:
    return Event("begin", "work", number, str(number), 1, pid, at)


def end(number: int, pid: int, at: float) -> Event:
    return Event("end", "work", number, str(number), 1, pid, at)


def test_a_line_of_a_handler_is_read(tmp_path):
    (tmp_path / "events").write_text("begin work 7 n7 2 4711 12.500000\n")
    assert events.read(tmp_path / "events") == [Event("begin", "work", 7, "n7", 2, 4711, 12.5)]
    assert events.read(tmp_path / "none") == []


def test_of_two_runs_at_once_the_one_in_the_same_process_ended():
    (runs,) = events.runs_of([begin(1, 10, 1), begin(1, 11, 2), end(1, 10, 3)]).values()
    assert [(run.pid, run.end) for run in runs] == [(10, 3), (11, None)]


def test_a_run_that_was_cut_short_is_timed_until_its_job_runs_again():
    seen = [begin(1, 10, 1), begin(2, 10, 1), end(2, 10, 2), begin(1, 11, 2.5), begin(2, 11, 3)]
    assert events.resumed(seen, {10: 2.2}) == [pytest.approx(0.3)]
    assert events.resumed(seen, {99: 2.2}) == []


def test_what_has_begun_and_not_ended_is_in_hand():
    seen = [begin(1, 10, 1), begin(2, 10, 1), end(1, 10, 2), begin(1, 11, 3)]
    assert [(event.number, event.pid) for event in events.in_hand(seen)] == [(2, 10), (1, 11)]


def test_a_rate_is_back_when_its_share_of_half_a_second_came():
    steady = [10 + n / 100 for n in range(200)]
    assert events.recovery(steady, since=10, wanted=80) == pytest.approx(0)
    assert events.recovery([9.0, 10.5, *[11 + n / 100 for n in range(100)]], 10, 80) == pytest.approx(1.0)
    assert events.recovery([10 + n / 10 for n in range(100)], since=10, wanted=80) is None


def test_a_gap_is_counted_from_the_last_end_before_the_fault_and_until_now():
    assert events.longest_gap([1.0, 2.0, 4.5, 5.0], since=3.0, until=6.0) == pytest.approx(2.5)
    assert events.longest_gap([1.0, 2.0], since=3.0, until=9.0) == pytest.approx(7.0)


def test_ends_are_those_of_a_queue_or_of_all():
    other = Event("end", "other", 2, "2", 1, 10, 3.0)
    assert events.ends([end(1, 10, 2), other], "other") == [3.0]
    assert events.ends([end(1, 10, 2), other]) == [2, 3.0]
