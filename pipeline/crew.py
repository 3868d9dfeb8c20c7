"""Hands on a queue and on those that it shares its processes with: what a person changes in a running project, and takes back."""

from __future__ import annotations

from msgspec import Struct

from pipeline.errors import NotRun
from pipeline.plan import Plan
from pipeline.status.queues import Override, overrides_of
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.operator import Operator
from pipeline.store.overrides import BY_FILE, Scale


class Crew(Struct, frozen=True):
    """Hands on a queue, and on each queue of its pool. `processes` is what the file says of the pool."""

    hands: Operator
    pool: str | None
    all: list[Operator]
    processes: int | None

    @property
    def names(self) -> list[str]:
        """The queues of the pool."""
        return [hands.queue for hands in self.all]

    def scale(self, processes: int, by: str, until: int | None) -> None:
        """Serve them with so many processes on each host, until that time of the server's. Raises NotRun, BrokerError."""
        if self.pool is None:
            raise NotRun(f"no process serves {self.hands.queue!r}", "give it a handler in the file")
        wanted = Scale(processes, by, self.hands.time(), until, self.processes)
        for hands in self.all:
            hands.scale(wanted)

    def reset(self) -> list[Override]:
        """Let the file count again; the result is what people had changed. Raises BrokerError."""
        self.hands.overrides()  # what has ended already is not taken back
        counts = run_blocking(self.hands.connection, self.hands.reader.counts())
        removed = list(overrides_of(counts, self.processes))
        for override in removed:
            self._take_back(override)
        return removed

    def _take_back(self, override: Override) -> None:
        if override.field == "processes":
            for hands in self.all:
                hands.unscale()
        elif override.file:
            self.hands.pause(BY_FILE)
        else:
            self.hands.resume()


def crew(connection: BlockingConnection, plan: Plan, queue: str) -> Crew:
    """The queue and those of its pool."""
    pool = pool_of(plan, queue)
    queues = plan.pools[pool].queues if pool else (queue,)
    hands = {name: Operator(connection, plan.name, name, plan.queues.get(name)) for name in queues}
    return Crew(hands[queue], pool, list(hands.values()), plan.pools[pool].processes if pool else None)


def pool_of(plan: Plan, queue: str) -> str | None:
    """The pool that serves a queue; None when it has no handlers, or is not in the file."""
    jobs = plan.queues[queue].every_job if queue in plan.queues else []
    if all(job.handler is None for job in jobs):
        return None
    return next(name for name, pool in plan.pools.items() if queue in pool.queues)
