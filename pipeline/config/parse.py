"""YAML text -> a tree of values with places, by the core rules of YAML 1.2.

It composes from libyaml's events and not from PyYAML's nodes: those are built by recursion in C, which
deep nesting overflows, and they lose duplicate keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from pipeline.config.report import Report
from pipeline.config.syntax import MAX_DEPTH, TOO_DEEP, explain
from pipeline.config.tree import TOP, Entry, Mapping, Node, Plain, Scalar, Sequence, Span

MAX_EXPANDED = 50_000
MAX_VALUES = 100_000
SMALLEST = "the smallest config has `name:` and one queue under `queues:`"
_NULL = ("", "~", "null", "Null", "NULL")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,4000})")
_BASED = re.compile(r"0o[0-7]{1,4000}|0x[0-9a-fA-F]{1,4000}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FIELD = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*\??")
_STRING_TAGS = ("!", "tag:yaml.org,2002:str")


class Unreadable(Exception):
    """The finding is in the report; nothing after it can be understood."""


@dataclass(slots=True)
class _Open:
    """A map or list that is being read. `size` counts what it would be with its aliases expanded."""

    start: Any
    anchor: str | None
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    merges: list[Mapping] = field(default_factory=list)
    key: Scalar | None = None
    size: int = 1


def read_scalar(text: str) -> Plain:
    """What text without quotes means in YAML 1.2: `yes` is text, 12:30 is text, 0x1F is 31."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and not LEADING_ZERO.fullmatch(text):
        return float(text)
    return float(text.replace(".", "", 1)) if _SPECIAL.fullmatch(text) else text


@dataclass
class Allowance:
    """How much may still be read: of one project, however many files it lies in."""

    values: int = MAX_VALUES
    expanded: int = MAX_EXPANDED


def parse(text: str, report: Report, allowance: Allowance, help: str = SMALLEST) -> Mapping | None:
    """The top map of the report's file, or None after a finding that ends the reading.

    `help` says what belongs in a file that is empty.
    """
    composer = _Composer(report, allowance)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            composer.take(event)
    except Unreadable:
        return None
    except yaml.MarkedYAMLError as error:
        explain(error, composer.last_quoted, report)
        return None
    if isinstance(composer.top, Mapping):
        return composer.top
    blank = composer.top is None or (isinstance(composer.top, Scalar) and composer.top.value is None)
    message = "the file is empty" if blank else "the file must be a map of keys"
    place = composer.top.span if composer.top and not blank else TOP
    report.error("P011", message, place, help=help)
    return None


class _Composer:
    """Builds the tree from events, without recursion."""

    def __init__(self, report: Report, allowance: Allowance) -> None:
        self.report = report
        self._allowance = allowance
        self.top: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._documents = 0
        self.last_quoted: Span | None = None
        """The text in quotes that was read last, if it goes over several lines."""
        self._takes = {
            yaml.ScalarEvent: self._take_scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close_mapping,
            yaml.SequenceEndEvent: self._close_sequence,
            yaml.DocumentStartEvent: self._document,
        }

    def take(self, event: Any) -> None:
        self._allowance.values -= 1
        if self._allowance.values < 0:
            self._stop("P013", "the file holds too many values", event, "is this the right file?")
        if taken := self._takes.get(type(event)):
            taken(event)

    def _take_scalar(self, event: Any) -> None:
        self._check_tag(event)
        self._add(self._scalar(event), 1, event.anchor)

    def _close_sequence(self, event: Any) -> None:
        done = self._stack.pop()
        self._add(Sequence(tuple(done.items), self._span(done.start, event)), done.size, done.anchor)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop("P010", "a second document begins here", event, "keep one document in a file")

    def _stop(self, code: str, message: str, event: Any, help: str = "") -> NoReturn:
        self.report.error(code, message, self._span(event, event), help=help)
        raise Unreadable

    def _check_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is not None and not (tag in _STRING_TAGS and isinstance(event, yaml.ScalarEvent)):
            self._stop(
                "P016",
                f"the tag {tag.replace('tag:yaml.org,2002:', '!!')} is not supported",
                event,
                "leave it out",
            )

    def _scalar(self, event: Any) -> Scalar:
        plain = event.style in (None, "") and event.tag is None
        place = self._span(event, event)
        lines = event.end_mark.line - event.start_mark.line
        self.last_quoted = place if event.style in ("'", '"') and lines else None
        if plain and LEADING_ZERO.fullmatch(event.value) and not "".join(self._path()[:1]).startswith("x-"):
            help = f"write {event.value.lstrip('+-0') or '0'}, or '{event.value}' in quotes if it is text"
            self.report.error("P109", "a number may not begin with 0", place, self._path(), help)
        value = read_scalar(event.value) if plain else event.value
        return Scalar(event.value, value, plain, place)

    def _path(self) -> tuple[str, ...]:
        return tuple(level.key.text for level in self._stack if level.key)

    def _open(self, event: Any) -> None:
        self._check_tag(event)
        above = self._stack[-1] if self._stack else None
        if len(self._stack) >= MAX_DEPTH:
            self._stop("P013", TOO_DEEP, event)
        if above and not isinstance(above.start, yaml.SequenceStartEvent) and above.key is None:
            doubled = event.flow_style and above.start.flow_style
            self._stop(
                "P008" if doubled else "P014",
                "braces without quotes begin a map" if doubled else "a key must be plain text",
                above.start if doubled else event,
                'put the whole value in quotes, with single braces: "{data.x}"' if doubled else "",
            )
        self._stack.append(_Open(event, event.anchor))
        if event.anchor:
            self._anchors.pop(event.anchor, None)

    def _alias(self, event: Any) -> None:
        found = self._anchors.get(event.anchor)
        if found is None:
            around = any(level.anchor == event.anchor for level in self._stack)
            why = "contains itself" if around else "has no anchor before it"
            self._stop("P012", f"the alias *{event.anchor} {why}", event)
        node, size = found
        self._allowance.expanded -= size
        if self._allowance.expanded < 0:
            self._stop("P013", "the aliases expand to far more than is written", event)
        self._add(node, size, None, self._span(event, event))

    def _add(self, node: Node, size: int, anchor: str | None, place: Span | None = None) -> None:
        if anchor:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.top = node
            return
        level = self._stack[-1]
        level.size += size
        if isinstance(level.start, yaml.SequenceStartEvent):
            level.items.append(node)
        elif level.key is None:
            level.key = self._key(node)
        else:
            self._entry(level, level.key, node, place or node.span)
            level.key = None

    def _key(self, node: Node) -> Scalar:
        if isinstance(node, Scalar):
            return node
        self.report.error("P014", "a key must be plain text", node.span)
        raise Unreadable

    def _entry(self, level: _Open, key: Scalar, node: Node, place: Span) -> None:
        if key.text == "<<" and key.plain:
            self._merge(level, node, place)
        elif key.text in level.entries:
            first = level.entries[key.text].key.line
            message = f"the key '{key.text}' stands here twice, first on line {first}"
            self.report.error("P007", message, key.span, (*self._path(),), "remove one of them")
        else:
            level.entries[key.text] = Entry(key.span, node)

    def _merge(self, level: _Open, node: Node, place: Span) -> None:
        parts = node.items if isinstance(node, Sequence) else (node,)
        maps = [part for part in parts if isinstance(part, Mapping)]
        if len(maps) < len(parts):
            self.report.error("P015", "<< needs a map, or a list of maps", place, self._path())
        level.merges += maps

    def _close_mapping(self, event: Any) -> None:
        done = self._stack.pop()
        place = self._span(done.start, event)
        if done.start.flow_style and _is_template(done):
            help = 'put the whole value in quotes: "{' + next(iter(done.entries)) + '}"'
            self.report.error("P008", "braces without quotes begin a map", place, self._path(), help)
            # What was meant goes on, so that no second finding follows from this one.
            meant = "{" + next(iter(done.entries)) + "}"
            return self._add(Scalar(meant, meant, plain=False, span=place), 1, done.anchor)
        for merged in done.merges:
            done.entries.update({k: v for k, v in merged.entries.items() if k not in done.entries})
        return self._add(Mapping(done.entries, place), done.size, done.anchor)

    def _span(self, start: Any, end: Any) -> Span:
        first, last, file = start.start_mark, end.end_mark, self.report.file
        column = first.column + 1
        if isinstance(start, yaml.MappingStartEvent | yaml.SequenceStartEvent) and not start.flow_style:
            return Span(first.line + 1, column, column + 1, file)
        # Beyond the end of every line, for a value of several lines; the report cuts it.
        stop = last.column + 1 if last.line == first.line else 1_000_000
        return Span(first.line + 1, column, max(stop, column + 1), file)


def _is_template(done: _Open) -> bool:
    """{data.x} reads as a map of one key without a value, which no config has a use for."""
    if len(done.entries) != 1:
        return False
    ((key, entry),) = done.entries.items()
    empty = isinstance(entry.value, Scalar) and entry.value.plain and not entry.value.text
    # In `{max: }` the colon stands between the two.
    return empty and entry.value.span[:2] == (entry.key.line, entry.key.end) and bool(_FIELD.fullmatch(key))
