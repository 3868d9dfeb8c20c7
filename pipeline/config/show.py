"""The effective config: what the file means once every default is merged, as YAML that means the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline import units
from pipeline.config.block import Block
from pipeline.config.findings import redact
from pipeline.config.hints import format_size
from pipeline.config.load import Loaded
from pipeline.config.model import Config
from pipeline.config.parse import read_scalar
from pipeline.config.tree import Path, dotted
from pipeline.job import encode

_PLAIN = re.compile(r"[A-Za-z_][\w./@+-]*(?:::?[\w./@+-]+)*")
_ELSEWHERE = ("defaults", "include", "profiles", "tests")
_MERGED = (*_ELSEWHERE, "retries")
_DURATIONS = (
    "timeout", "soft", "hard", "delay", "max", "delays", "age", "keep", "ttl", "stop_timeout", "lease", "import_timeout",
    "max_age", "interval", "every", "jitter", "throttle", "tolerance",
)  # fmt: skip


def effective(loaded: Loaded, queue: str | None = None, *, origin: bool = False) -> str:
    """The config as YAML, passwords hidden; with `queue` only that queue.

    With `origin` each line tells where its value was written, or that it is built-in. Raises KeyError for
    an unknown queue, ValueError when the file has errors and so no effective config.
    """
    if loaded.config is None or loaded.plan is None:
        raise ValueError("a file with errors has no effective config")
    config = loaded.config
    if queue is not None:
        config = config.model_copy(update={"queues": {queue: config.queues[queue]}})
    lines = list(_lines(config))
    if not origin:
        return "".join(f"{text}\n" for text, _ in lines)
    width = min(60, max(len(text) for text, _ in lines))
    places = {path: _origin(path, loaded) for _, path in lines if path}
    return "".join(f"{text:<{width}}  # {places[path]}\n" if path else f"{text}\n" for text, path in lines)


class Line(NamedTuple):
    """A line of the effective config, the path of the value that stands on it, and where that was written; neither for the
    key of a block."""

    text: str
    path: Path | None
    origin: str | None


def effective_lines(loaded: Loaded) -> list[Line]:
    """The effective config as lines. There are none when the file has errors."""
    if loaded.config is None:
        return []
    return [Line(text, path, _origin(path, loaded) if path else None) for text, path in _lines(loaded.config)]


def _lines(config: Config) -> Iterator[tuple[str, Path | None]]:
    return _block({name: value for name, value in _data(config).items() if name not in _MERGED}, ())


def at(loaded: Loaded, path: Path) -> list[tuple[str, str]]:
    """The lines of what holds at `path`, each with where its value was written, empty for the key of a block.

    Passwords are hidden. There are none when the file has errors, or nothing stands there.
    """
    if loaded.config is None or not path:
        return []
    data: Any = {name: value for name, value in _data(loaded.config).items() if name not in _ELSEWHERE}
    for step in path[:-1]:
        data = data.get(step) if isinstance(data, dict) else None
    if not isinstance(data, dict) or path[-1] not in data:
        return []
    lines = _block({str(path[-1]): data[path[-1]]}, path[:-1])
    indent = 2 * (len(path) - 1)
    return [(text[indent:], _origin(place, loaded) if place else "") for text, place in lines]


def _data(config: Config) -> dict[str, Any]:
    data = _values(config)
    if isinstance(config.broker.url, str):
        data["broker"]["url"] = redact(config.broker.url)
    for queue in data["queues"].values():
        if "pool" in queue:
            del queue["processes"], queue["recycle"]
    return data


def _values(block: Block) -> dict[str, Any]:
    values: dict[str, Any] = {}
    kind = type(block)
    # A block's own keys before those that it has in common with others.
    for name in sorted(kind.model_fields, key=lambda name: name not in kind.__annotations__):
        field = kind.model_fields[name]
        value = getattr(block, name)
        # Of what is not there, only an explicit null says something: no limit, no handler.
        if value is None and name not in block.model_fields_set:
            continue
        values[field.alias or name] = _value(name, value)
    return values


class _Flow(str):
    """A value as it is to be written."""

    __slots__ = ()


def _value(name: str, value: Any) -> Any:
    if name == "data":
        return _Flow(encode(value).decode().replace("$", "$$"))
    if isinstance(value, Block):
        return _values(value)
    if isinstance(value, dict):
        return {key: _value("", item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_value(name, item) for item in value]
    if name in ("max_payload", "max_memory", "max_body") and value is not None:
        return format_size(value)
    is_duration = name in _DURATIONS and isinstance(value, int)
    return units.words(value) if is_duration else value


def _block(data: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Path | None]]:
    """Lines with the path of the value that stands on them, or None for the key of a block."""
    for name, value in data.items():
        indent, here = "  " * len(path), (*path, name)
        if isinstance(value, dict) and value:
            yield f"{indent}{_scalar(name)}:", None
            yield from _block(value, here)
        elif value not in ({}, []):
            shown = f"[{', '.join(map(_scalar, value))}]" if isinstance(value, list) else _scalar(value)
            yield f"{indent}{_scalar(name)}: {shown}", here


def _scalar(value: Any) -> str:
    if isinstance(value, _Flow):
        return value
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(name)}: {_scalar(item)}' for name, item in value.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        return str(value)
    text = value.replace("$", "$$") if "${" in value or "$$" in value else value
    if re.fullmatch(r"\d+(?:\.\d+)?[A-Za-z][\w.]*", text):
        return text if isinstance(read_scalar(text), str) else f'"{text}"'
    if _PLAIN.fullmatch(text) and isinstance(read_scalar(text), str):
        return text
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
    )


def _origin(path: Path, loaded: Loaded) -> str:
    """Where the value was written, and what filled it in. A plain `timeout: 5s` is the place of what it became."""
    for steps in (dotted(path), dotted(path[:-1])):
        if place := loaded.origins.get(steps):
            by: tuple[str, ...] = (f"profile {place.profile}",) if place.profile else ()
            by += loaded.variables.get(steps, ())
            return f"{place.file}:{place.line}" + (f" ({', '.join(by)})" if by else "")
    inside = next(
        (place for steps, place in loaded.origins.items() if steps.startswith(dotted((*path, "")))), None
    )
    return f"{inside.file}:{inside.line}" if inside else "built-in"
