"""Totals of a project that belong to no queue: counted in memory, and now and then added to those in the broker, so that
they are right with several processes, and survive all of them."""

from __future__ import annotations

from collections import Counter

from pipeline.store import keys
from pipeline.store.call import Call, run
from pipeline.store.scripts import script
from pipeline.store.wire import Connection, Reply

Totals = dict[tuple[str, ...], int]


class Tally:
    """What one process counts. What an answer was lost for is added again: rather twice than never."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._counted: Counter[str] = Counter()

    def count(self, kind: str, *labels: str, by: int = 1) -> None:
        """Count something of this kind, with its labels: words without a colon."""
        self._counted[":".join((kind, *labels))] += by

    async def flush(self, connection: Connection) -> None:
        """Add what was counted to the totals in the broker. Raises BrokerError; the next one adds it then."""
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            await run(connection, _added(self._project, counted))
        except BaseException:
            self._counted.update(counted)
            raise


def _added(project: str, counted: Counter[str]) -> Call[int]:
    rest = [part for item in counted.items() for part in item]
    return Call(script("tally").command(totals=keys.totals(project), rest=rest), int)


def totals(project: str) -> Call[Totals]:
    """The totals of a project: (kind, label, ...) -> how often."""
    return Call(("HGETALL", keys.totals(project)), _read)


def _read(reply: Reply) -> Totals:
    return {
        tuple(name.decode(errors="replace").split(":")): int(count)
        for name, count in zip(reply[::2], reply[1::2], strict=True)
    }
