"""Durations and sizes, as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.units import milliseconds, size_bytes, words


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("500ms", 500),
        ("2s", 2_000),
        ("1.5s", 1_500),
        ("1m30s", 90_000),
        ("1h", 3_600_000),
        ("1h2m3s4ms", 3_723_004),
        ("7d", 604_800_000),
        ("2w", 1_209_600_000),
        ("0s", 0),
        ("0.4ms", 0),
        (timedelta(minutes=1, microseconds=1_499), 60_001),
        (timedelta(0), 0),
    ],
)
def test_a_duration_is_read(written: str | timedelta, ms: int) -> None:
    assert milliseconds(written) == ms


@pytest.mark.parametrize(
    "written", ["", "5", "5 s", "s", "-5s", "5sec", "1h 2m", "1e3s", "5S", ".5s", "5s\n"]
)
def test_what_is_no_duration_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write it as 500ms, 2s"):
        milliseconds(written)


@pytest.mark.parametrize("number", [5, 0, 1.5, True])
def test_a_bare_number_is_a_type_error_that_says_how_to_write_it(number: Any) -> None:
    with pytest.raises(TypeError, match=f"{number!r} has no unit: write '{number}s'"):
        milliseconds(number)


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="is negative"):
        milliseconds(timedelta(seconds=-1))


@given(st.integers(0, 10**12))
def test_words_are_read_back(ms: int) -> None:
    assert milliseconds(words(ms)) == ms


@pytest.mark.parametrize(
    ("ms", "said"), [(0, "0s"), (90_000, "1m30s"), (1, "1ms"), (694_861_001, "1w1d1h1m1s1ms")]
)
def test_words_are_the_largest_units_first(ms: int, said: str) -> None:
    assert words(ms) == said


@pytest.mark.parametrize(
    ("written", "size"),
    [("1B", 1), ("1KB", 1_000), ("1KiB", 1_024), ("1.5MB", 1_500_000), ("512MiB", 2**29), ("2GiB", 2**31)],
)
def test_a_size_is_read(written: str, size: int) -> None:
    assert size_bytes(written) == size


@pytest.mark.parametrize("written", ["", "1", "1K", "1kb", "1 MB", "-1B", "1MB1KB", "1TB"])
def test_what_is_no_size_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write it as 512KiB"):
        size_bytes(written)
