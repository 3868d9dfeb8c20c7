"""Templates: text with `{root.name.0.name}` in it. No expressions.

Only strings, integers and booleans can stand in text; `{data.x?}` may be missing, and then there is no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

FIELD = re.compile(r"\{([A-Za-z_][\w.-]*)(\?)?\}")


def render(template: str, roots: Mapping[str, Any]) -> str | None:
    """The text for these values; None when a `?` field is missing. Raises LookupError naming the field."""
    parts = []
    for text, path, optional in _parts(template):
        parts.append(text)
        if not path:
            continue
        try:
            value = _find(path, roots)
        except LookupError:
            if optional:
                return None
            raise LookupError(f"{{{'.'.join(path)}}} is missing") from None
        if isinstance(value, bool):
            value = str(value).lower()
        if not isinstance(value, str | int):
            raise LookupError(  # noqa: TRY004 - one error for all that a payload can lack
                f"{{{'.'.join(path)}}} is not a string, an integer or a boolean"
            )
        parts.append(str(value))
    return "".join(parts)


def fill(value: Any, roots: Mapping[str, Any]) -> Any:
    """A value with every text in it rendered. Text that is one field alone becomes what stands there, whatever it is;
    a `?` field that is missing leaves None. Raises LookupError naming the field."""
    if isinstance(value, str):
        alone = FIELD.fullmatch(value)
        return _value(alone, roots) if alone else render(value, roots)
    if isinstance(value, Mapping):
        return {key: fill(one, roots) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [fill(one, roots) for one in value]
    return value


def fields(value: Any) -> Iterator[tuple[str, ...]]:
    """The path of every field in the text of a value."""
    if isinstance(value, str):
        yield from (tuple(match[1].split(".")) for match in FIELD.finditer(value))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from fields(one)
    elif isinstance(value, Sequence):
        for one in value:
            yield from fields(one)


def _value(field: re.Match[str], roots: Mapping[str, Any]) -> Any:
    *above, last = field[1].split(".")
    try:
        return _step(_find(tuple(above), roots) if above else roots, last)
    except LookupError:
        if field[2]:
            return None
        raise LookupError(f"{{{field[1]}}} is missing") from None


@cache
def _parts(template: str) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    """(text before, path of the field, whether it may be missing); the last one has no field."""
    found, end = [], 0
    for match in FIELD.finditer(template):
        found.append((template[end : match.start()], tuple(match[1].split(".")), bool(match[2])))
        end = match.end()
    return (*found, (template[end:], (), False))


def _find(path: tuple[str, ...], roots: Mapping[str, Any]) -> Any:
    value: Any = roots
    for step in path:
        value = _step(value, step)
    if value is None:
        raise LookupError(path)
    return value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value[step]
    if isinstance(value, Sequence) and not isinstance(value, str) and step.isdigit():
        return value[int(step)]
    raise LookupError(step)
