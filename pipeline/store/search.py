"""Looking for jobs by what they hold. All is read in pages, and judged here: the broker only ever hands out a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.job import State
from pipeline.store import keys
from pipeline.store.bulk import never
from pipeline.store.listing import LISTED, Filter
from pipeline.store.operator import Operator
from pipeline.store.reader import JobView

SCANNED = 1_000


class Search:
    """The jobs that a filter means, as they are found. `looked` counts those that were looked at, `last` is the one that
    came last: a search goes on behind it. `stop` is asked after each, and `stopped` tells whether it said yes."""

    def __init__(
        self,
        operator: Operator,
        only: Filter,
        states: Sequence[State] = LISTED,
        after: str | None = None,
        stop: Callable[[], bool] = never,
        deepest: int | None = None,
    ) -> None:
        self._operator = operator
        self._only = only
        self._states = states
        self._after = after
        self._stop = stop
        self._deepest = deepest
        self.stopped = False
        self.looked = 0
        self.last: str | None = None

    def __iter__(self) -> Iterator[JobView]:
        """Newest first; with the beginning of an id, in no order. Raises JobNotFound when `after` is not in the list."""
        jobs = self._by_id(self._only.id) if self._only.id else self._listed()
        for job in jobs:
            self.looked += 1
            self.last = job.id
            if self._only.holds(job):
                yield job
            if self._stop():
                self.stopped = True
                return

    def _listed(self) -> Iterator[JobView]:
        return self._operator.jobs(self._states, after=self._after, deepest=self._deepest)

    def _by_id(self, begin: str) -> Iterator[JobView]:
        """The broker looks through the ids alone, so many at a time."""
        records, cursor, seen = keys.jobs(self._operator.reader.queue), b"0", set[str]()
        while True:
            command = ("HSCAN", records, cursor, "MATCH", f"{begin}*", "COUNT", SCANNED)
            cursor, found = self._operator.connection.call(command)
            fresh = [id for id in (item.decode() for item in found[::2]) if id not in seen]
            seen.update(fresh)
            yield from (job for job in self._operator.look(fresh) if job.state in self._states)
            if cursor == b"0":
                return
            if not fresh and self._stop():
                self.stopped = True
                return
