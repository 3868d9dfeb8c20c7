"""What options can be: durations and points in time. Each function is a click type."""

from __future__ import annotations

from datetime import datetime

import click


def duration(text: str) -> int:
    """`30s`, `1h30m`, `7d` in ms. A number without a unit is refused."""
    from pipeline.units import milliseconds

    try:
        return milliseconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def time(text: str) -> datetime:
    """An ISO 8601 time. One without a zone is refused: it means something else on another host."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time: write it as 2026-01-31T09:00:00+01:00") from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no time zone: write {text}Z for UTC, or {text}+02:00")
    return moment


def moment(text: str) -> int | datetime:
    """A time, or so long ago: `10m` (in ms)."""
    try:
        return duration(text)
    except click.BadParameter:
        return time(text)


def rate(text: str) -> float:
    """`50/s`, `10/m`, `100/h` as jobs a second."""
    count, slash, unit = text.partition("/")
    seconds = {"s": 1, "m": 60, "h": 3600}.get(unit if slash else "")
    try:
        number = float(count)
    except ValueError:
        number = 0.0
    if seconds is None or not 0 < number < 1e6:
        raise click.BadParameter(f"{text!r} is not a rate: write it as 50/s, 10/m or 100/h")
    return number / seconds


def share(text: str) -> float:
    """`20%` as 0.2. A number without the sign is refused: 1 may mean all, or a hundredth."""
    number, sign, rest = text.partition("%")
    try:
        found = float(number) / 100 if sign and not rest else -1.0
    except ValueError:
        found = -1.0
    if not 0 <= found < 1:
        raise click.BadParameter(f"{text!r} is not a share: write it as 20%")
    return found
