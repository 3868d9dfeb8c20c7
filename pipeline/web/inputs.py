"""What comes in: strict JSON, numbers and times that stay within their limits."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from pipeline import units
from pipeline.web.request import Request
from pipeline.web.response import JSON, Refused

DEEPEST = 64
LONGEST_NUMBER = 18
LONGEST_INTEGER = 20
LONGEST_DURATION = 64
MOST_MS = 100 * 365 * 86_400_000
T = TypeVar("T")


def body(request: Request, kind: type[T]) -> T:
    """The body as a value of this type; one that is not there is {}. Raises Refused: 400, 415 or 422."""
    if not request.body:
        return fitted({}, kind)
    if (request.header("content-type") or "").partition(";")[0].strip().lower() != JSON:
        raise Refused(
            415, "unsupported_media_type", "the body must be JSON", "send Content-Type: application/json"
        )
    return fitted(parse(request.body), kind)


def fitted(value: Any, kind: type[T]) -> T:
    """The value as one of this type. Raises Refused (422)."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise Refused(422, "invalid", f"the body does not fit: {error}") from None


def parse(text: bytes) -> Any:
    """JSON as it is meant by all who read it: no key twice, no NaN, no number out of range. Raises Refused (400)."""
    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise Refused(400, "bad_request", f"the body is no JSON: {said}") from None
    if depth(value) > DEEPEST:
        raise Refused(400, "bad_request", f"the body is nested more than {DEEPEST} deep")
    return value


def depth(value: Any) -> int:
    """How deep a value is nested; DEEPEST + 1 for all that is deeper."""
    level, layer = 0, [value]
    while layer and level <= DEEPEST:
        layer = [
            below
            for one in layer
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        level += 1
    return level


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _integer(text: str) -> int:
    # Beyond 64 bits a reader would round it.
    number = int(text) if len(text) <= LONGEST_INTEGER else 2**64
    if not -(2**63) <= number < 2**64:
        raise ValueError(f"{text[:40]} is out of range")
    return number


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query, cut to what is possible. Raises Refused (422) for what is none."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise Refused(422, "invalid", f"{name} is a whole number", f"{least} to {most}")
    value = int(text) if len(text) <= LONGEST_NUMBER else least if text.startswith("-") else most
    return min(max(value, least), most)


def duration(name: str, text: str | None) -> int | None:
    """A duration in ms. Raises Refused (422)."""
    if text is None:
        return None
    try:
        ms = units.milliseconds(text[:LONGEST_DURATION])
    except ValueError as error:
        raise Refused(422, "invalid", f"{name}: {error}", "for instance 30s, 10m, 7d") from None
    if len(text) > LONGEST_DURATION or ms > MOST_MS:
        raise Refused(422, "invalid", f"{name} is longer than 100 years", "for instance 30s, 10m, 7d")
    return ms


def moment(name: str, text: str | int | None, now: int) -> int | None:
    """A time in ms since 1970: as such, or how long ago. Raises Refused (422)."""
    if text is None or text == "":
        return None
    if isinstance(text, int):
        return text
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        return int(text)
    return now - (duration(name, text) or 0)


def time_of(name: str, given: int | str | None) -> datetime | None:
    """A point in time with its zone, from ms since 1970 or ISO 8601. Raises Refused (422)."""
    if given is None:
        return None
    try:
        if isinstance(given, int):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=given)
        found = datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise Refused(
            422, "invalid", f"{name} is ms since 1970, or a time with a zone", "2026-01-31T09:00:00Z"
        )
    return found
