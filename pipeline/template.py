"""Templates: text with `{root.name.0.name}` in it. No expressions.

Only strings, integers and booleans can stand in text; `{data.x?}` may be missing, and then there is no text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
        if isinstance(value, Mapping):
            value = value[step]
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdigit():
            value = value[int(step)]
        else:
            raise LookupError(step)
    if value is None:
        raise LookupError(path)
    return value
