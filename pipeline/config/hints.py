"""What to write instead: help for durations, sizes and names that are not quite right."""

from __future__ import annotations

import re

_LOOSE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_DURATIONS = {
    "w": ("week", "weeks"), "d": ("day", "days"), "h": ("hr", "hrs", "hour", "hours"),
    "m": ("min", "mins", "minute", "minutes"), "s": ("sec", "secs", "second", "seconds"),
    "ms": ("msec", "millis", "milliseconds"),
}  # fmt: skip
_SIZES = ("B", "KiB", "MiB", "GiB", "KB", "MB", "GB")


def duration_help(text: str) -> str:
    """What to write instead of a text that is no duration."""
    number, unit = _loose(text)
    if number and not unit:
        return f"give it a unit: {number}s or {number}m?"
    for short, words in _DURATIONS.items():
        if number and unit.lower() in (short, *words):
            return f"write {number}{short}"
    return "a duration is a number with a unit: 500ms, 2s, 1m30s, 1h, 7d, 2w"


def size_help(text: str) -> str:
    """What to write instead of a text that is no size."""
    number, unit = _loose(text)
    if number and not unit:
        return f"give it a unit: {number}B or {number}KiB?"
    for size in _SIZES:
        if number and size.lower().startswith(unit.lower()):
            return f"write {number}{size}"
    return "a size is a number with a unit: 512KiB, 1MB, 1GiB"


def format_size(size: int) -> str:
    """`size` bytes as the file would write it: 1048576 -> "1MiB"."""
    for unit, factor in (("GiB", 2**30), ("GB", 10**9), ("MiB", 2**20), ("MB", 10**6), ("KiB", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"


def _loose(text: str) -> tuple[str, str]:
    found = _LOOSE.fullmatch(text.strip())
    return (found[1], found[2]) if found else ("", "")
