"""The list that a check writes its findings to: from places in a tree to Finding values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from pipeline.config.findings import Finding, Severity, ordered, redact
from pipeline.config.tree import TOP, Path, Span, dotted

# What YAML takes for the end of a line, so that our line numbers are its line numbers.
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class TooManyErrors(Exception):
    """More errors than anybody would read: looking for others only takes time."""


FEW = 20
LONGEST = 1_000


class Source:
    """A file's text, and its lines as messages may show them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._shown: dict[int, str] = {}

    @cached_property
    def lines(self) -> list[str]:
        return _LINE_END.split(self.text)

    def shown(self, line: int) -> str:
        """The line without passwords, its columns kept. Thousands of findings may lie in one long line."""
        if line not in self._shown:
            source = self.lines[line - 1] if line <= len(self.lines) else ""
            self._shown[line] = redact(source, keep_width=True)
        return self._shown[line]


class Report:
    """Collects the findings of a config. `file` is the one that a place without a file lies in.

    With `most` errors it raises TooManyErrors.
    """

    def __init__(self, file: str, texts: Mapping[str, str] | None = None, most: int | None = None) -> None:
        self.file = self._main = file
        self._most = most
        self._found: list[Finding] = []
        self._errors: set[tuple[str, int, int]] = set()
        self._sources = {name: Source(text) for name, text in (texts or {}).items()}

    def read(self, text: str) -> None:
        """Take `text` as the file's."""
        self._sources[self.file] = Source(text)

    def included(self, file: str) -> Report:
        """A report about another file of the same config, with the same list of findings."""
        other = Report.__new__(Report)
        other.__dict__.update(self.__dict__)
        other.file = file
        return other

    def trial(self) -> Report:
        """A report about the same files, with a list of findings of its own."""
        other = Report(self._main, most=self._most)
        other._sources = self._sources
        return other

    def adopt(self, finding: Finding) -> None:
        """Take in what a trial found."""
        self._found.append(finding)
        if finding.severity == "error":
            self._errors.add((finding.file, finding.line, finding.column))

    @property
    def lines(self) -> list[str]:
        return self._sources[self.file].lines

    @property
    def texts(self) -> dict[str, str]:
        """The text of every file that was read, by its path as messages show it."""
        return {name: source.text for name, source in self._sources.items()}

    @property
    def findings(self) -> tuple[Finding, ...]:
        return ordered(self._found, self._main)

    @property
    def failed(self) -> bool:
        return bool(self._errors)

    @property
    def few(self) -> bool:
        """Whether there are so few errors yet that help for the next one may take its time."""
        return len(self._errors) < FEW

    def has_error(self, at: Span) -> bool:
        """Whether this place has an error already: a second one would only repeat it."""
        return (at.file or self.file, at.line, at.column) in self._errors

    def error(self, code: str, message: str, at: Span = TOP, path: Path = (), help: str = "") -> None:
        self._add("error", code, message, at, path, help)
        self._errors.add((at.file or self.file, at.line, at.column))
        if self._most is not None and len(self._errors) >= self._most:
            self._add("note", "P025", f"after {self._most:,} errors the rest was not looked at", TOP, (), "")
            raise TooManyErrors

    def warning(self, code: str, message: str, at: Span = TOP, path: Path = (), help: str = "") -> None:
        self._add("warning", code, message, at, path, help)

    def note(self, code: str, message: str, at: Span = TOP, path: Path = (), help: str = "") -> None:
        self._add("note", code, message, at, path, help)

    def _add(self, severity: Severity, code: str, message: str, at: Span, path: Path, help: str) -> None:
        file = at.file or self.file
        shown = self._sources[file].shown(at.line) if file in self._sources else ""
        inside = at.profile and path[:1] != ("profiles",)
        steps = dotted(("profiles", at.profile, *path) if inside else path)
        place = (file, at.line, at.column, max(at.column + 1, at.end), shown, at.profile)
        self._found.append(Finding(severity, code, _cut(message), _cut(help), _cut(steps), *place))


def _cut(text: str) -> str:
    """The text, unless a value of megabytes went into it."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
