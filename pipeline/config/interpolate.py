"""Compose's ${VAR} forms, on text that YAML has already read."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACE = re.compile(r"(?:\$\$)+|\$\{|\}")
_REFERENCE = re.compile(r"(?<!\$)(?:\$\$)*(\$\{)")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
MAX_NESTING = 32
MAX_TEXT = 1024 * 1024


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
    return _Expansion(text, env, [] if filled is None else filled).inside(0, len(text), 0)


class _Expansion:
    """One text, in which every reference knows where it ends."""

    def __init__(self, text: str, env: Mapping[str, str], filled: list[str]) -> None:
        self._text = text
        self._env = env
        self._filled = filled
        self._ends = _ends(text)
        self._room = MAX_TEXT

    def inside(self, at: int, end: int, depth: int) -> str:
        """The expansion of the text from `at` to `end`."""
        if depth > MAX_NESTING:
            raise BadReference("references are nested too deeply")
        parts: list[str] = []
        while at < end and (found := _REFERENCE.search(self._text, at, end)):
            start = found.start(1)
            parts += [_literal(self._text[at:start]), self._reference(start, depth)]
            at = self._ends[start]
        parts.append(_literal(self._text[at:end]))
        return "".join(parts)

    def _reference(self, start: int, depth: int) -> str:
        text = self._text
        found = _NAME.match(text, start + 2)
        if not found:
            raise BadReference("'${' must be followed by the name of a variable")
        name, at = found[0], found.end()
        operator = next((op for op in _OPERATORS if text.startswith(op, at)), "")
        if not operator and not text.startswith("}", at):
            raise BadReference(f"${{{name} must be followed by '}}', or by one of {' '.join(_OPERATORS)}")
        if start not in self._ends:
            raise BadReference("a '${' is not closed by '}'")
        return self._value(name, operator, at + len(operator), self._ends[start] - 1, depth)

    def _value(self, name: str, operator: str, at: int, end: int, depth: int) -> str:
        value = self._env.get(name)
        if value is None or (operator.startswith(":") and not value):
            if operator.endswith("-"):
                return self._written(f"default of {name}", at, end, depth)
            if operator.endswith("+"):
                return ""
            # What the file says and not what it expands to: messages show no values.
            raise Unset(name, self._text[at:end])
        if operator.endswith("+"):
            return self._written(name, at, end, depth)
        self._filled.append(name)
        self._room -= len(value)
        if self._room < 0:
            raise BadReference("this expands to more than 1 MiB")
        return value

    def _written(self, source: str, at: int, end: int, depth: int) -> str:
        """The text that the file gives for a variable; it comes from `source`, unless others are in it."""
        before = len(self._filled)
        text = self.inside(at, end, depth + 1)
        if len(self._filled) == before:
            self._filled.append(source)
        return text


def _literal(text: str) -> str:
    return text.replace("$$", "$")


def _ends(text: str) -> dict[int, int]:
    """Where each ${ that is closed ends, after its brace."""
    ends: dict[int, int] = {}
    open_: list[int] = []
    for token in _BRACE.finditer(text):
        if token[0] == "${":
            open_.append(token.start())
        elif token[0] == "}" and open_:
            ends[open_.pop()] = token.end()
    return ends
