"""Durations and sizes as people write them. One parser for the file, the commands and the Python calls."""

from __future__ import annotations

import re
from datetime import timedelta

DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+", re.ASCII)
SIZE = re.compile(r"(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def milliseconds(duration: str | timedelta) -> int:
    """ "1m30s" or a timedelta in ms. TypeError for a bare number, ValueError for anything else."""
    if isinstance(duration, timedelta):
        if duration < timedelta(0):
            raise ValueError(f"{duration} is negative")
        return round(duration / timedelta(milliseconds=1))
    if not isinstance(duration, str):
        raise TypeError(f"{duration!r} has no unit: write '{duration}s', or use a timedelta")
    if not DURATION.fullmatch(duration):
        raise ValueError(f"{duration!r} is not a duration: write it as 500ms, 2s, 1m30s, 1h, 7d or 2w")
    return round(sum(float(number) * _MS[unit] for number, unit in _PART.findall(duration)))


def size_bytes(size: str) -> int:
    """ "512KiB" in bytes. ValueError for anything without a unit."""
    match = SIZE.fullmatch(size)
    if match is None:
        raise ValueError(f"{size!r} is not a size: write it as 512KiB, 1MB or 1MiB")
    return round(float(match[1]) * _BYTES[match[2]])


def words(ms: int) -> str:
    """A duration in ms as the file would write it: the largest units first."""
    if ms == 0:
        return "0s"
    parts = []
    for unit, size in sorted(_MS.items(), key=lambda item: -item[1]):
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def size_words(size: int) -> str:
    """`size` bytes as the file would write it: 1048576 -> "1MiB"."""
    for unit, factor in sorted(_BYTES.items(), key=lambda item: -item[1]):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"
