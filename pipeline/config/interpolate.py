"""Compose's ${VAR} forms, on text that YAML has already read."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
MAX_NESTING = 32


class BadReference(Exception):
    """A ${...} that is not well formed."""


class Unset(Exception):
    """A variable that has no value; `name` is the variable, the text is what the file says about it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def expand(text: str, env: Mapping[str, str], filled: list[str] | None = None) -> str:
    """`text` with its references replaced. `$$` is a literal `$`; a bare `$` stays.

    `filled` takes the names of the variables that gave a part of it. Raises BadReference, or Unset for a
    variable without value and default.
    """
    return _expand(text, 0, env, 0, [] if filled is None else filled)[0]


def _expand(text: str, at: int, env: Mapping[str, str], depth: int, filled: list[str]) -> tuple[str, int]:
    """The expansion from `at` to the end of the text or, inside a reference, to its closing brace."""
    if depth > MAX_NESTING:
        raise BadReference("references are nested too deeply")
    parts: list[str] = []
    while at < len(text):
        if text.startswith("$$", at):
            parts.append("$")
            at += 2
        elif text.startswith("${", at):
            part, at = _reference(text, at + 2, env, depth, filled)
            parts.append(part)
        elif depth and text[at] == "}":
            return "".join(parts), at
        else:
            parts.append(text[at])
            at += 1
    if depth:
        raise BadReference("a '${' is not closed by '}'")
    return "".join(parts), at


def _reference(text: str, at: int, env: Mapping[str, str], depth: int, filled: list[str]) -> tuple[str, int]:
    found = _NAME.match(text, at)
    if not found:
        raise BadReference("'${' must be followed by the name of a variable")
    name, at = found[0], found.end()
    operator = next((op for op in _OPERATORS if text.startswith(op, at)), "")
    if not operator and not text.startswith("}", at):
        raise BadReference(f"${{{name} must be followed by '}}', or by one of {' '.join(_OPERATORS)}")
    start = at + len(operator)
    end = _closing(text, start)
    value = env.get(name)
    given = value is not None and not (operator.startswith(":") and not value)

    def rest() -> str:
        before = len(filled)
        written = _expand(text, start, env, depth + 1, filled)[0]
        if len(filled) == before:
            filled.append(f"default of {name}" if operator.endswith("-") else name)
        return written

    if operator.endswith("+"):
        return (rest() if given else ""), end
    if given and value is not None:
        filled.append(name)
        return value, end
    if operator.endswith("-"):
        return rest(), end
    # What the file says and not what it expands to: messages show no values.
    raise Unset(name, text[start : end - 1])


def _closing(text: str, at: int) -> int:
    """The place after the brace that closes the reference whose rest begins at `at`."""
    depth = 1
    while at < len(text):
        if text.startswith("$$", at):
            at += 1
        elif text.startswith("${", at):
            depth += 1
            at += 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise BadReference("a '${' is not closed by '}'")
