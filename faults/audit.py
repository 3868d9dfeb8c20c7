"""What the broker holds of a queue at the end, read key by key and past every script."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from pipeline.job import decode_job
from pipeline.store import keys
from pipeline.store.blocking import BlockingConnection

ENDED = ("completed", "dead", "cancelled")
STAYS = ("jobs", "runs", "outcomes", "notes", "logs", "completed", "dead", "cancelled", "meta", "stats",
         "last_id", "last_lease", "lane_place", "schedules", "minutes", "tens", "hours", "quarters", "charted", "names",
         "ids", "call")  # fmt: skip
"""What may be left when every job has ended and nobody works any more."""
LISTS = {"wait": "waiting", "alone": "waiting", "delayed": "delayed", "active": "active", "inbox": "inbox"}


@dataclass
class Audit:
    """A queue. `states`: every place where an id lies, twice if it lies there twice; `numbers`: id -> the producer's
    number; `left`: keys that should be gone when it is drained."""

    queue: str
    numbers: dict[str, int] = field(default_factory=dict)
    states: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    stats: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def ended(self, *states: str) -> list[str]:
        """The ids that lie where these end states are kept, as often as they lie there."""
        return [id for id, places in self.states.items() for place in places if place in (states or ENDED)]


def audit(connection: BlockingConnection, project: str, queue: str) -> Audit:
    """Read a queue. Raises BrokerError."""
    base = keys.base(project, queue)
    found = Audit(queue)
    for key in _keys(connection, base):
        kind = key.removeprefix(f"{base}:").partition(":")[0]
        for id in _ids(connection, key) if kind in (*ENDED, *LISTS) else ():
            found.states[id].append(LISTS.get(kind, kind))
        if kind not in STAYS:
            found.left.append(key)
    records = _pairs(connection.call(("HGETALL", keys.jobs(base))))
    found.numbers = {id: decode_job(record).data["n"] for id, record in records.items()}
    found.stats = {
        name: int(value) for name, value in _pairs(connection.call(("HGETALL", keys.stats(base)))).items()
    }
    return found


def _keys(connection: BlockingConnection, base: str) -> list[str]:
    found, cursor = set[str](), b"0"
    while True:
        cursor, some = connection.call(("SCAN", cursor, "MATCH", f"{base}:*", "COUNT", 1000))
        found.update(key.decode() for key in some)
        if cursor == b"0":
            return sorted(found)


def _ids(connection: BlockingConnection, key: str) -> list[str]:
    kind = connection.call(("TYPE", key))
    if kind == b"list":
        entries = connection.call(("LRANGE", key, 0, -1))
    elif kind == b"zset":
        entries = connection.call(("ZRANGE", key, 0, -1))
    else:
        entries = connection.call(("HKEYS", key))
    return [entry.decode() for entry in entries if entry]


def _pairs(reply: list[Any]) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
