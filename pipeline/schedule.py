"""When a schedule fires: the ticks of a cron expression or of an interval, in ms since 1970. Pure.

A tick follows from the schedule alone, so that all supervisors, and those that come after them, find the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from pipeline.plan import SchedulePlan
from pipeline.units import words

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
LONGEST_EXPRESSION = 200
LATE = 5_000
"""A tick that nobody could fire for so many ms was missed."""
MOST = 1_000
"""So many ticks are looked at in one pass."""
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class Step(Struct, frozen=True):
    """A schedule goes on to `tick`: that one fires or not, and `missed` ones until then do not."""

    tick: int
    missed: int
    fires: bool


@cache
def zone(name: str) -> tzinfo:
    """The time zone. Raises ValueError or OSError when there is none of that name."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except LookupError as error:
        raise ValueError(f"no time zone {name}") from error


def problem_of(cron: str) -> str | None:
    """Why `cron` is no expression, or None."""
    expression = NICKNAMES.get(cron, cron)
    count = len(expression.split())
    if expression.startswith("@"):
        return f"there are {', '.join(NICKNAMES)}"
    if count != len(FIELDS):
        return f"it has {count} field{'s' * (count != 1)} instead of 5: {', '.join(FIELDS)}"
    if len(expression) > LONGEST_EXPRESSION:
        return f"it is longer than {LONGEST_EXPRESSION} characters"
    if _is_read(expression):
        return None
    parts = expression.split()
    for at, name in enumerate(FIELDS):
        if not _is_read(" ".join("*" if other != at else part for other, part in enumerate(parts))):
            return f"the {name} cannot be {parts[at]}"
    return None


def can_fire(schedule: SchedulePlan) -> bool:
    """Whether there is any tick at all, past ones included."""
    cron = schedule.cron
    readable = cron is None or _is_read(NICKNAMES.get(cron, cron))
    return readable and next(ticks(schedule, -1), None) is not None


def moment(text: str, timezone: str) -> int:
    """A time as the file has it, in ms since 1970; without an offset it is one of that zone. Raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=zone(timezone))
    return (time.astimezone(UTC) - _1970) // timedelta(milliseconds=1)


def written(ms: int, timezone: str) -> str:
    """A time as the file could have it."""
    return (_1970 + timedelta(milliseconds=ms)).astimezone(zone(timezone)).isoformat()


def rhythm(schedule: SchedulePlan) -> str:
    """What the ticks follow: when this changes, the schedule begins anew."""
    if schedule.every is not None:
        return f"every {schedule.every} {schedule.start or 0}"
    return f"cron {schedule.cron} {schedule.timezone}"


def bounds(schedule: SchedulePlan) -> str:
    """What the rhythm is cut by: when this changes, what lies behind counts as done."""
    return f"{schedule.start} {schedule.end} {schedule.limit}"


def when(schedule: SchedulePlan) -> str:
    """When it fires, for people."""
    if schedule.every is not None:
        return f"every {words(schedule.every)}"
    return f"{schedule.cron} {'' if schedule.timezone == 'UTC' else schedule.timezone}".rstrip()


def ticks(schedule: SchedulePlan, after: int) -> Iterator[int]:
    """The ticks later than `after`, in order, within `start` and `end`."""
    end = schedule.end
    after = max(after, (schedule.start or 0) - 1)
    found = _regular(schedule, after) if schedule.every is not None else _cron(schedule, after)
    return found if end is None else takewhile(lambda tick: tick <= end, found)


def next_tick(schedule: SchedulePlan, after: int) -> int | None:
    """The first tick later than `after`; None when the schedule has ended."""
    return next(ticks(schedule, after), None)


def jittered(name: str, schedule: SchedulePlan, tick: int) -> int:
    """When the job of a tick may begin: by chance, and the same chance whoever looks."""
    if not schedule.jitter:
        return tick
    digest = hashlib.sha256(f"{name}:{tick}".encode()).digest()
    return tick + int.from_bytes(digest[:8]) * schedule.jitter // 2**64


def steps(schedule: SchedulePlan, after: int, now: int) -> list[Step]:
    """How the schedule goes on from `after` to `now`, for at most MOST ticks; none when nothing is due.

    What is due for longer than LATE was missed, and `catch_up` decides.
    """
    found = list(islice(takewhile(lambda tick: tick <= now, ticks(schedule, after)), MOST + 1))
    more, due = len(found) > MOST, found[:MOST]
    if schedule.catch_up == "all":
        return [Step(tick, 0, fires=True) for tick in due]
    missed = [tick for tick in due if tick < now - LATE]
    in_time = due[len(missed) :]
    if in_time:
        return [Step(tick, 0 if at else len(missed), fires=True) for at, tick in enumerate(in_time)]
    if not missed:
        return []
    fires = schedule.catch_up == "latest" and not more
    return [Step(missed[-1], len(missed) - fires, fires=fires)]


def _regular(schedule: SchedulePlan, after: int) -> Iterator[int]:
    every, anchor = schedule.every or 1, schedule.start or 0
    tick = anchor + ((after - anchor) // every + 1) * every
    while True:
        yield tick
        tick += every


def _cron(schedule: SchedulePlan, after: int) -> Iterator[int]:
    cron = schedule.cron or ""
    begin = datetime.fromtimestamp(max(after, 0) // 1000, zone(schedule.timezone))
    for time in _read(NICKNAMES.get(cron, cron), begin):
        tick = int(time.timestamp()) * 1000
        # In the second one of two equal hours a fixed time is found again, and is over.
        if tick > after:
            after = tick
            yield tick


def _read(expression: str, begin: datetime) -> Any:
    from cronsim import CronSim

    return CronSim(expression, begin)


def _is_read(expression: str) -> bool:
    from cronsim import CronSimError

    try:
        _read(expression, _1970)
    except CronSimError:
        return False
    return True
