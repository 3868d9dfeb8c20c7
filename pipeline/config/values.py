"""A tree -> the plain data that the model reads: variables filled in, `null` left out, `x-` keys skipped."""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

from pipeline.config.interpolate import BadReference, Unset, expand
from pipeline.config.report import Report
from pipeline.config.tree import Entry, Mapping, Node, Path, Scalar, Sequence, Text, is_null

# Where keys are names that the user chose: no `x-` key is skipped, and an empty entry is an empty map.
_NAMED = (
    *((name,) for name in ("queues", "retries", "pools", "secrets", "schedules", "webhooks")),
    ("queues", "*", "jobs"),
)
# What stands below is nothing of ours: it is a payload, as the handler gets it.
_PAYLOADS = (("schedules", "*", "data"), ("webhooks", "*", "data"))
# For these, null is a value: no limit, no handler.
NULL_SAYS_SO = ("timeout", "soft", "hard", "count", "age", "handler")


def is_named(path: Path) -> bool:
    """Whether the keys of the map at `path` are names that the user chose."""
    return any(
        len(pattern) == len(path) and all(step in ("*", at) for step, at in zip(pattern, path, strict=True))
        for pattern in _NAMED
    )


def is_payload(path: Path) -> bool:
    """Whether what stands at `path` is a payload, or a part of one."""
    return any(
        len(path) >= len(pattern) and all(step in ("*", at) for step, at in zip(pattern, path, strict=False))
        for pattern in _PAYLOADS
    )


def interpolate(tree: Mapping, env: Map[str, str], report: Report) -> Mapping:
    """The tree with every ${...} replaced, without `x-` keys; reports what cannot be replaced.

    A scalar that a variable went into has a `Text` for a value. One that could not be replaced is left out.
    """
    return _map(tree, (), env, report)


def _map(node: Mapping, path: Path, env: Map[str, str], report: Report) -> Mapping:
    named = is_named(path)
    entries: dict[str, Entry] = {}
    for name, entry in node.entries.items():
        if name.startswith("x-") and not named and not is_payload(path):
            continue
        value = entry.value
        if named and is_null(value):
            value = Mapping({}, entry.key)
        done = _node(value, (*path, name), env, report)
        if done is not None:
            entries[name] = Entry(entry.key, done)
    return Mapping(entries, node.span)


def _node(node: Node, path: Path, env: Map[str, str], report: Report) -> Node | None:
    if isinstance(node, Mapping):
        return _map(node, path, env, report)
    if isinstance(node, Sequence):
        items = [_node(item, (*path, at), env, report) for at, item in enumerate(node.items)]
        whole = tuple(item for item in items if item is not None)
        return Sequence(whole, node.span) if len(whole) == len(items) else None
    return _scalar(node, path, env, report) if "$" in node.text else node


def _scalar(node: Scalar, path: Path, env: Map[str, str], report: Report) -> Scalar | None:
    filled: list[str] = []
    try:
        text = expand(node.text, env, filled)
    except BadReference as error:
        cut = node.plain and "is not closed" in str(error)
        help = "put the whole value in quotes: ' #' begins a comment" if cut else "a literal '${' is '$${'"
        report.error("P009" if cut else "P017", str(error), node.span, path, help)
        return None
    except Unset as error:
        message = f"the variable {error.name} is not set" + (f": {error}" if str(error) else "")
        report.error("P018", message, node.span, path, f"set it, or give a default: ${{{error.name}:-...}}")
        return None
    if text == node.text:
        return node
    return Scalar(node.text, Text(text, node.text, tuple(dict.fromkeys(filled))), node.plain, node.span)


def plain(node: Node, path: Path = ()) -> Any:
    """The data of the tree at `path`. An entry that is null is as if it was not written, except in a payload."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return tuple(plain(item, (*path, at)) for at, item in enumerate(node.items))
    return {
        name: plain(entry.value, (*path, name))
        for name, entry in node.entries.items()
        if name in NULL_SAYS_SO or not is_null(entry.value) or is_payload(path)
    }
