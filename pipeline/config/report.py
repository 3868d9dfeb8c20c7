"""The list that a check writes its findings to: from places in a tree to Finding values."""

from __future__ import annotations

import re

from pipeline.config.findings import Finding, Severity, ordered, redact
from pipeline.config.tree import TOP, Path, Span, dotted

# What YAML takes for the end of a line, so that our line numbers are its line numbers.
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class Report:
    """Collects the findings of one file. `text` is the file's text, for the source lines."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self._found: list[Finding] = []
        self.read(text)

    def read(self, text: str) -> None:
        """Take `text` as the file's; findings of before keep their place."""
        self.lines = _LINE_END.split(text)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return ordered(self._found)

    @property
    def failed(self) -> bool:
        return any(finding.severity == "error" for finding in self._found)

    def has_error(self, at: Span) -> bool:
        """Whether this place has an error already: a second one would only repeat it."""
        return any(
            (found.line, found.column, found.severity) == (at.line, at.column, "error")
            for found in self._found
        )

    def error(self, code: str, message: str, at: Span = TOP, path: Path = (), help: str = "") -> None:
        self._add("error", code, message, at, path, help)

    def warning(self, code: str, message: str, at: Span = TOP, path: Path = (), help: str = "") -> None:
        self._add("warning", code, message, at, path, help)

    def _add(self, severity: Severity, code: str, message: str, at: Span, path: Path, help: str) -> None:
        source = self.lines[at.line - 1] if at.line <= len(self.lines) else ""
        shown = redact(source, keep_width=True)
        place = (self.file, at.line, at.column, max(at.column + 1, at.end))
        self._found.append(Finding(severity, code, message, help, dotted(path), *place, shown))
