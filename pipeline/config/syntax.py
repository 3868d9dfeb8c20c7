"""libyaml's errors in our words, with the mistakes that people really make told apart."""

from __future__ import annotations

import re

import yaml

from pipeline.config.report import Report
from pipeline.config.tree import Span

MAX_DEPTH = 64
MAX_LOOKED_AT = 2_000
TOO_DEEP = f"more than {MAX_DEPTH} levels of nesting"
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|(?:^|\s)#.*$")
_REFERENCE = re.compile(r"\$\{")
_TEMPLATE = re.compile(r"(?<!\$)\{(\{)?\s*[A-Za-z_][\w-]*(?:\.[\w-]+)*\??\s*\}(?(1)\})")
_WORDS = {
    "mapping values are not allowed in this context": ("a value cannot hold ': ' without quotes", ""),
    "could not find expected ':'": ("a key without ':'", "write `key: value`"),
    "did not find expected key": ("this does not line up with the keys around it", "check the indentation"),
    "did not find expected '-' indicator": ("a list item must begin with '- '", "check the indentation"),
    "did not find expected ',' or '}'": ("a map in braces lacks its ',' or '}'", ""),
    "did not find expected ',' or ']'": ("a list in brackets lacks its ',' or ']'", ""),
    "found unexpected end of stream": ("a quote is not closed", "close it, or remove it"),
    "found character that cannot start any token": (
        "this character cannot begin a value",
        "put the value in quotes",
    ),
    "block sequence entries are not allowed in this context": ("a list item cannot stand here", ""),
}
# For these, libyaml's own place is where it gave up, lines below the mistake.
_STARTS_AT_CONTEXT = ("could not find expected ':'", "found unexpected end of stream")


def explain(error: yaml.MarkedYAMLError, last_quoted: Span | None, report: Report) -> None:
    """Report a syntax error at the place that a person has to change.

    `last_quoted` is the text in quotes of several lines that was read last before it.
    """
    mark = error.problem_mark or error.context_mark
    if error.problem in _STARTS_AT_CONTEXT and error.context_mark:
        mark = error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    first = error.context_mark.line if error.context_mark else line
    if tab := _tab(report.lines, line):
        report.error("P006", "a tab is used for indentation", tab, help="indent with spaces")
        return
    if last_quoted:
        report.error(
            "P005", "this quote is closed only lines below", last_quoted, help="close it on this line"
        )
        return
    for number in dict.fromkeys((line, first, line - 1)):
        if _braces(report, number):
            return
    problem = error.problem or "this is not YAML"
    if "nesting depth" in problem:
        column = _too_deep(report.lines[line], column)
        report.error("P013", TOO_DEEP, Span(line + 1, column + 1, column + 2))
        return
    message, help = _WORDS.get(problem, (problem, ""))
    report.error("P005", message, Span(line + 1, column + 1, column + 2), help=help)


def _too_deep(text: str, column: int) -> int:
    """Where on its line the nesting passed our limit; newer parsers stop at one of their own, further on."""
    openings = [at for at, character in enumerate(text[:column]) if character in "[{"]
    # The file's own map, and the key that the first bracket belongs to, are two levels already.
    return openings[MAX_DEPTH - 1] if len(openings) >= MAX_DEPTH else column


def _tab(lines: list[str], number: int) -> Span | None:
    for at in (number, number - 1):
        text = lines[at] if 0 <= at < len(lines) else ""
        indent = text[: len(text) - len(text.lstrip())]
        if "\t" in indent and text.strip():
            column = indent.index("\t") + 1
            return Span(at + 1, column, column + 1)
    return None


def _braces(report: Report, number: int) -> bool:
    """Whether line `number` holds braces that lack their quotes; reports them."""
    if not 0 <= number < len(report.lines):
        return False
    # Quoted text and comments are blanked out, so that columns stay.
    text = _QUOTED.sub(lambda found: " " * len(found[0]), report.lines[number][:MAX_LOOKED_AT])
    for code, pattern, message in (
        ("P009", _REFERENCE, "YAML cuts this ${...} apart, because it lacks quotes"),
        ("P008", _TEMPLATE, "braces without quotes begin a map"),
    ):
        if found := pattern.search(text):
            place = Span(number + 1, found.start() + 1, found.end() + 1)
            report.error(code, message, place, help="put the whole value in double quotes")
            return True
    return False
