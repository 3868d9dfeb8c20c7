"""The file as a tree of values that know where they stand. Knows neither YAML nor the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

Path = tuple[str | int, ...]
Plain = str | int | float | bool | None


class Span(NamedTuple):
    """A place: line, first column, and the column after the last one, in characters from 1.

    `file` is the file's path as messages show it, empty for the one that the report is about; `profile` names
    the profile whose block it lies in.
    """

    line: int
    column: int
    end: int
    file: str = ""
    profile: str = ""


TOP = Span(1, 1, 1)


class Text(str):
    """Text that a variable or a secret went into. Messages show `source`, never the text itself.

    `filled` names the variables that it came from.
    """

    __slots__ = ("filled", "source")
    source: str
    filled: tuple[str, ...]

    def __new__(cls, text: str, source: str, filled: tuple[str, ...] = ()) -> Self:
        made = super().__new__(cls, text)
        made.source = source
        made.filled = filled
        return made


@dataclass(frozen=True, slots=True)
class Scalar:
    """`value` is what YAML 1.2 reads; `plain` is False when the text stood in quotes."""

    text: str
    value: Plain
    plain: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: dict[str, Entry]
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    span: Span


Node = Scalar | Mapping | Sequence


@dataclass(frozen=True, slots=True)
class Entry:
    key: Span
    value: Node


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def child(node: Node | None, step: str | int) -> Node | None:
    """The node one step below, or None."""
    if isinstance(node, Mapping) and step in node.entries:
        return node.entries[str(step)].value
    if isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
        return node.items[step]
    return None


def find(node: Node | None, path: Iterable[str | int]) -> Node | None:
    """The node at `path`, or None."""
    for step in path:
        node = child(node, step)
    return node


def key_span(node: Node, path: Path) -> Span:
    """The place of the key that `path` ends in, or of the nearest one above that is in the file.

    An item of a list has no key: its place is that of its value.
    """
    place = TOP
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            place = node.entries[str(step)].key
        below = child(node, step)
        if below is None:
            break
        if isinstance(node, Sequence):
            place = below.span
        node = below
    return place


def value_span(node: Node, path: Path) -> Span:
    """The place of the value at `path`, or of the nearest key above that is in the file."""
    found = find(node, path)
    return found.span if found is not None and path else key_span(node, path)


def without(node: Node, path: Path) -> Node:
    """The tree without the entry at `path`; a list that holds it goes as a whole."""
    if not path or not isinstance(node, Mapping) or path[0] not in node.entries:
        return node
    name, entries = str(path[0]), dict(node.entries)
    entry = entries[name]
    if len(path) > 1 and isinstance(entry.value, Mapping) and find(entry.value, path[1:]) is not None:
        entries[name] = Entry(entry.key, without(entry.value, path[1:]))
    else:
        del entries[name]
    return Mapping(entries, node.span)


def in_profile(node: Node, name: str) -> Node:
    """The tree with all of its places marked as those of a profile."""
    span = node.span._replace(profile=name)
    if isinstance(node, Scalar):
        return replace(node, span=span)
    if isinstance(node, Sequence):
        return Sequence(tuple(in_profile(item, name) for item in node.items), span)
    entries = {
        key: Entry(entry.key._replace(profile=name), in_profile(entry.value, name))
        for key, entry in node.entries.items()
    }
    return Mapping(entries, span)


def filled(node: Node) -> tuple[str, ...]:
    """The variables that a scalar, or the items of a list, came from."""
    if isinstance(node, Sequence):
        return tuple(dict.fromkeys(name for item in node.items for name in filled(item)))
    return node.value.filled if isinstance(node, Scalar) and isinstance(node.value, Text) else ()


def leaves(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every scalar, list and item of a list of the tree with its path."""
    if isinstance(node, Mapping):
        for name, entry in node.entries.items():
            yield from leaves(entry.value, (*path, name))
        return
    yield path, node
    if isinstance(node, Sequence):
        for at, item in enumerate(node.items):
            yield from leaves(item, (*path, at))


def dotted(path: Iterable[str | int]) -> str:
    """("queues", "emails", "retry") -> "queues.emails.retry"."""
    return ".".join(str(step) for step in path)
