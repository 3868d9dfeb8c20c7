"""What the broker says: how often each job was completed or died, and which keys there are."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from faults.bars.load import QUEUE
from faults.broker import Broker
from faults.shop import NAME
from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.reader import Counts, Reader

BASE = keys.base(NAME, QUEUE)
SLACK = 5_000
SIZES = {"hash": "HLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD"}
GROW = re.compile(r":(stats|last_id|last_lease|call:\w+|generations|history)$")
"""Keys whose size says nothing: totals, counters, what is known of edits, producers of the last minute."""
WORKER = re.compile(r":(active|inbox):.*")


class Ends:
    """Counts how often each job id ended. Completed jobs are kept only for so long: look often enough.

    `unseen` is how many completions passed between two looks without being kept until the second.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._seen = 0
        self._completed: Counter[int] = Counter()
        self.unseen = 0

    def forget(self) -> None:
        """What was completed until now is of no interest. Raises BrokerError."""
        self._seen, _ = self._newest(0)

    def look(self) -> None:
        """Count what was completed since the last look. Raises BrokerError."""
        want = SLACK
        while True:
            total, ids = self._newest(want)
            fresh = total - self._seen
            if fresh <= len(ids) or len(ids) < want:
                break
            want = fresh + SLACK
        self.unseen += max(0, fresh - len(ids))
        self._completed.update(map(int, ids[:fresh]))
        self._seen = total

    def _newest(self, want: int) -> tuple[int, list[bytes]]:
        connection = self._broker.connect()
        try:
            connection.call(("MULTI",))
            connection.call(("HGET", keys.stats(BASE), "completed"))
            connection.call(("LRANGE", keys.completed(BASE), 0, want - 1))
            total, ids = connection.call(("EXEC",))
        finally:
            connection.close()
        return int(total or 0), ids

    def dead(self) -> list[int]:
        """The ids of the jobs that are dead."""
        return [int(id) for id in self._broker.call("ZRANGE", keys.dead(BASE), 0, -1)]

    def all(self) -> Counter[int]:
        """How often each id ended, completed or dead."""
        return self._completed + Counter(self.dead())


def counts(broker: Broker) -> Counts:
    """How many jobs are in which state, and the totals. Raises BrokerError."""
    connection = broker.connect()
    try:
        return run_blocking(connection, Reader(NAME, QUEUE).counts())
    finally:
        connection.close()


def is_empty(found: Counts) -> bool:
    """Whether no job is on its way."""
    return not (found.waiting or found.delayed or found.active)


def key_sizes(broker: Broker) -> dict[str, int]:
    """How many elements each key has, those of all workers together; without those whose size says nothing."""
    sizes: Counter[str] = Counter()
    for key in broker.call("KEYS", "*"):
        name = key.decode()
        if not GROW.search(name):
            sizes[WORKER.sub(r":\1:*", name)] += _size(broker, name)
    return sizes


def _size(broker: Broker, name: str) -> int:
    command = SIZES.get(broker.call("TYPE", name).decode())
    return int(broker.call(command, name)) if command else 1


def unlike(before: dict[str, int], after: dict[str, int]) -> list[str]:
    """The keys that came, went or changed their size, in words."""
    changed: dict[str, Any] = {
        name: (before.get(name, 0), after.get(name, 0)) for name in sorted({*before, *after})
    }
    return [f"{name}: {old} -> {new}" for name, (old, new) in changed.items() if old != new]
