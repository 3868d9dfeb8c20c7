"""What a broker holds, as lines of JSON that any server can take in; and whether all of it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.reader import Counts, Reader, queue_names

READ = {
    b"string": ("GET",),
    b"list": ("LRANGE", 0, -1),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    b"hash": ("HGETALL",),
}
WRITE = {"string": "SET", "list": "RPUSH", "set": "SADD", "hash": "HSET"}
CODING = "latin-1"
"""It keeps each byte."""


def save(connection: BlockingConnection, path: Path, hidden: Mapping[str, str]) -> None:
    """A line for each key, in their order. `hidden` says what to write for the folders of the machine."""
    names = sorted(key for key in connection.call(("KEYS", "*")))
    text = "".join(json.dumps(line) + "\n" for line in _lines(connection, names))
    for folder, instead in hidden.items():
        text = text.replace(folder, instead)
    path.write_text(text)


def load(connection: BlockingConnection, path: Path) -> None:
    """Put the keys into a broker; none of them ends by itself there."""
    for line in path.read_text().splitlines():
        kind, key, values = json.loads(line)
        parts = [part.encode(CODING) for part in values]
        if kind == "zset":
            pairs = zip(parts[1::2], parts[::2], strict=True)
            connection.call(("ZADD", key, *(part for pair in pairs for part in pair)))
        else:
            connection.call((WRITE[kind], key, *parts))


def counts(connection: BlockingConnection) -> dict[str, Counts]:
    """How each queue stands."""
    names = run_blocking(connection, queue_names("shop"))
    return {name: run_blocking(connection, Reader("shop", name).counts()) for name in sorted(names)}


def _lines(connection: BlockingConnection, names: list[bytes]) -> Iterator[tuple[str, str, list[str]]]:
    for name in names:
        kind = connection.call(("TYPE", name))
        command, *rest = READ[kind]
        found: Any = connection.call((command, name, *rest))
        values = [found] if isinstance(found, bytes) else found
        yield kind.decode(), name.decode(), [value.decode(CODING) for value in values]
