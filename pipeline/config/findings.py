"""Findings: what is wrong in a file, where, and what to do. Plain values, text and JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]

WIDTH = 140
_COLORS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m"}
_WORD = re.compile(r"\S+")
_LOGIN = re.compile(r"(?P<head>://[^/@:'\"]*:)(?P<secret>.+)(?=@)")
_PARAMETER = re.compile(r"(?P<head>[?&]password=)(?P<secret>[^&'\"]+)")
_KEY = re.compile(r"(?P<head>\bpassword:[ ]?['\"]?)(?P<secret>[^\s,'\"{}]+)")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(:?\?[^{}]*)?\}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. `line`, `column` and `end` (the column after the last) count characters from 1;
    `source` is the text of the line, without passwords; `profile` is the one whose block it lies in."""

    severity: Severity
    code: str
    message: str
    help: str
    path: str
    file: str
    line: int
    column: int
    end: int
    source: str = ""
    profile: str = ""


def redact(text: str, *, keep_width: bool = False) -> str:
    """`text` with the passwords of URLs, and of keys of that name, replaced by ***. A reference such as ${PASSWORD} stays.

    With `keep_width` columns stay too, for a line that a caret points into.
    """

    def mask(found: re.Match[str]) -> str:
        if _REFERENCE.fullmatch(found["secret"]):
            return found[0]
        return found["head"] + "*" * (len(found["secret"]) if keep_width else 3)

    def hide(word: re.Match[str]) -> str:
        # What follows the last @ is looked at once: a line may be one word of megabytes.
        login, at, rest = word[0].rpartition("@")
        return _PARAMETER.sub(mask, _LOGIN.sub(mask, login + at) + rest)

    return _KEY.sub(mask, _WORD.sub(hide, text))


def has_password(url: str) -> bool:
    """Whether a password is readable in `url` as it is written in the file."""
    return redact(url) != url


def ordered(findings: Iterable[Finding], file: str) -> tuple[Finding, ...]:
    """The findings by their place, those of `file` first; of two with the same code and place, the first."""
    unique = {
        (found.file != file, found.file, found.line, found.column, found.code): found
        for found in reversed(list(findings))
    }
    return tuple(unique[place] for place in sorted(unique))


def render(findings: Iterable[Finding], *, color: bool = False) -> str:
    """The findings as a compiler prints them: place, message, source line, caret, help."""
    return "\n\n".join(_render(finding, color=color) for finding in findings)


def _render(finding: Finding, *, color: bool) -> str:
    paint, bold, reset = (_COLORS[finding.severity], "\x1b[1m", "\x1b[0m") if color else ("", "", "")
    place = f"{finding.file}:{finding.line}:{finding.column}"
    lines = [f"{bold}{place}: {paint}{finding.severity}[{finding.code}]{reset}: {finding.message}"]
    if finding.source.strip():
        gutter = " " * len(str(finding.line))
        source, before, width = _window(finding)
        lines += [f" {finding.line} | {source}", f" {gutter} | {' ' * before}{paint}{'^' * width}{reset}"]
    if finding.help:
        lines.append(f"  {bold}help{reset}: {finding.help}")
    return "\n".join(lines)


def _window(finding: Finding) -> tuple[str, int, int]:
    """The part of the source line that fits, what stands before the caret in it, the caret's width."""
    source = finding.source
    start = max(0, finding.column - 1 - WIDTH // 2) if len(source) > WIDTH else 0
    shown = source[start : start + WIDTH].expandtabs(1).rstrip()
    before = finding.column - 1 - start
    return shown, before, max(1, min(finding.end - finding.column, len(shown) - before))


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """The shape that `validate --format json` prints."""
    found = list(findings)
    count = Counter(finding.severity for finding in found)
    return {
        "valid": not count["error"],
        "error_count": count["error"],
        "warning_count": count["warning"],
        "diagnostics": [_diagnostic(finding) for finding in found],
    }


def _diagnostic(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "help": finding.help or None,
        "path": finding.path or None,
        "range": {"file": finding.file, "line": finding.line, "column": finding.column},
    }
