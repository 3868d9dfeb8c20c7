"""pydantic's errors -> findings in our words, each at the place in the file that has to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pipeline.config.fields import shown
from pipeline.config.model import Config
from pipeline.config.report import Report
from pipeline.config.suggest import did_you_mean, near
from pipeline.config.tree import Mapping, Node, Path, Span, dotted, find, is_null, key_span, value_span
from pipeline.config.values import is_named

_TYPES = {
    "model_type": "a map of keys",
    "dict_type": "a map of names",
    "tuple_type": "a list",
    "string_type": "text",
}


def translate(error: ValidationError, tree: Mapping, written: Mapping, report: Report) -> list[Path]:
    """Report every error; returns the paths whose values cannot be used.

    `written` is the tree before variables went in: what is missing only for want of one is no second error.
    """
    found = error.errors(include_url=False)
    return [
        _finding(one, tree, report)
        for one in found
        if one["type"] != "missing" or (node := find(written, one["loc"])) is None or is_null(node)
    ]


def _finding(found: Any, tree: Mapping, report: Report) -> Path:
    path, at_key = _path(found["loc"], tree)
    kind = found["type"]
    if kind == "extra_forbidden":
        message, help = _unknown(path)
        report.error("P101", message, key_span(tree, path), path, help)
    elif kind == "missing":
        message = f"the key '{path[-1]}' is missing"
        report.error("P102", message, key_span(tree, path[:-1]), path, _missing_help(path))
    else:
        place = key_span(tree, path) if at_key else value_span(tree, path)
        code, message, help = explained(found)
        if not report.has_error(place):
            report.error(code, message, place, path, help)
    return path


def belongs_in_main(key: str, place: Span, main: FilePath, report: Report) -> None:
    """Report a key that an included file may not hold."""
    if key not in keys_of(Config):
        message, help = _unknown((key,))
        report.error("P101", message, place, (key,), help)
        return
    message = f"`{key}` cannot stand in an included file"
    report.error("P024", message, place, (key,), f"move it to {main}")


def explained(found: Any) -> tuple[str, str, str]:
    """Code, message and help for a value that is not what its key takes."""
    kind, value = found["type"], found["input"]
    if kind == "finding":
        context = found["ctx"]
        return context["code"], context["message"], context["help"]
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", found["ctx"]["expected"])
        help = did_you_mean(str(value), words) if isinstance(value, str) else f"one of {', '.join(words)}"
        return "P104", f"{shown(value)} is not possible here", help
    help = f"write [{value}]" if kind == "tuple_type" and type(value) is str else ""
    return "P103", f"this must be {_TYPES.get(kind, 'another kind of value')}, not {shown(value)}", help


def _path(loc: tuple[str | int, ...], tree: Mapping) -> tuple[Path, bool]:
    """The steps of `loc` that are in the file, without the names of union branches; whether it is a key."""
    steps: list[str | int] = []
    node: Node = tree
    for number, step in enumerate(loc):
        if step == "[key]":
            return tuple(steps), True
        below = find(node, (step,))
        if below is not None:
            node = below
        elif number < len(loc) - 1 or step in ("map", "scalar"):
            continue
        steps.append(step)
    return tuple(steps), False


def _missing_help(path: Path) -> str:
    if path == ("name",):
        return "write `name: shop` at the top: the prefix of every key and metric"
    return "every config has at least one queue" if path == ("queues",) else ""


def _unknown(path: Path) -> tuple[str, str]:
    key, above = str(path[-1]), path[:-1]
    message = f"unknown key '{key}'"
    place = dotted("NAME" if is_named(path[:number]) else path[number] for number in range(len(above)))
    model = model_at(above)
    names = keys_of(model) if model else ()
    if near(key, names) is None and (help := _belongs(key, place)):
        return message, help
    return message, did_you_mean(key, names) or "only keys that begin with x- are ignored"


def _belongs(key: str, place: str) -> str:
    """Where a key that is known elsewhere should stand: below its place if it can, else anywhere."""
    prefix = f"{place}." if place else ""
    homes = sorted((home for home, name in _homes() if name == key), key=len)
    inside = [home.removeprefix(prefix) for home in homes if home.startswith(prefix) and home != place]
    here = (inside or [home or "the top level" for home in homes])[:2]
    return f"'{key}' belongs in {' or '.join(here)}" if here else ""


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a block as the file spells them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def model_at(path: Path) -> type[BaseModel] | None:
    """The model of the block that stands at `path` in a config."""
    model: type[BaseModel] = Config
    for number, step in enumerate(path):
        if is_named(path[:number]) or isinstance(step, int):
            continue
        field = next(
            (field for name, field in model.model_fields.items() if step in (name, field.alias)), None
        )
        below = next(_models(field.annotation), None) if field else None
        if below is None:
            return None
        model = below
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _homes(model: type[BaseModel] = Config, place: str = "") -> Iterator[tuple[str, str]]:
    """Every key with the block that it belongs in."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield place, key
        inner = f"{place}.{key}" if place else key
        for below in _models(field.annotation):
            yield from _homes(below, f"{inner}.NAME" if get_origin(field.annotation) is dict else inner)
