"""Suggestions in rustc's order, and help for near misses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import units
from pipeline.config.hints import duration_help, format_size, size_help
from pipeline.config.suggest import edits, near

KEYS = ("concurrency", "max_active", "timeout", "retry", "retries", "age")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("TIMEOUT", "timeout"),
        ("concurency", "concurrency"),
        ("cocnurrency", "concurrency"),
        ("active_max", "max_active"),
        ("retrys", "retry"),
        ("maxActive", "max_active"),
        ("activeMax", "max_active"),
        ("ages", "age"),
        ("aeg", "age"),
        ("x", None),
        ("frobnicate", None),
    ],
)
def test_the_near_name_is_found(word: str, meant: str | None) -> None:
    assert near(word, KEYS) == meant


@pytest.mark.parametrize(("word", "meant"), [("retry", "retries"), ("policy", "policies"), ("ITEM", "items")])
def test_one_and_many_are_near(word: str, meant: str) -> None:
    assert near(word, ("retries", "policies", "items")) == meant


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edits_are_symmetric_and_bounded(a: str, b: str) -> None:
    assert edits(a, b, 10) == edits(b, a, 10) <= max(len(a), len(b))
    assert (edits(a, b, 10) == 0) == (a == b)


@given(st.integers(0, 100 * 365 * 86_400_000))
def test_every_duration_can_be_written_and_read_again(ms: int) -> None:
    assert units.milliseconds(units.words(ms)) == ms


@given(st.integers(0, 2**40))
def test_every_size_can_be_written_and_read_again(size: int) -> None:
    assert units.size_bytes(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("30", "give it a unit: 30s or 30m?"),
        ("5 min", "write 5m"),
        ("5S", "write 5s"),
        ("2hours", "write 2h"),
    ],
)
def test_a_near_duration_is_put_right(text: str, help: str) -> None:
    assert duration_help(text) == help


@pytest.mark.parametrize(
    ("text", "help"),
    [("512k", "write 512KiB"), ("1mb", "write 1MB"), ("10", "give it a unit: 10B or 10KiB?")],
)
def test_a_near_size_is_put_right(text: str, help: str) -> None:
    assert size_help(text) == help


def test_the_same_letters_in_another_case_win_over_a_near_name() -> None:
    assert near("MAX", ("MIX", "max")) == "max"
