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
