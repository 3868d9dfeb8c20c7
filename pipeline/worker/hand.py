"""What the broker has leased to this worker: buffered, running, or ended and not told yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from pipeline.errors import CANNOT_START, StartError
from pipeline.plan import WorkerPlan
from pipeline.policy import Batching, QueuePolicy
from pipeline.store.store import Held
from pipeline.worker.attempt import Attempt, Buffered, Handlers, Table
from pipeline.worker.batches import BatchSlots
from pipeline.worker.board import Board
from pipeline.worker.ledger import Ledger, Page
from pipeline.worker.slots import Desk, LoopSlots, ThreadSlots

if TYPE_CHECKING:
    from pipeline.worker.process_slots import ProcessDesk, ProcessSlots

FORETOLD = 2_000
"""So many letters may be awaited at most; only so many jobs are ever held."""
log = logging.getLogger("pipeline.worker")
Lane: TypeAlias = "LoopSlots | ThreadSlots | ProcessSlots | BatchSlots"


class Hand:
    """All jobs that this worker holds, by id and lease, and the slots that they go to."""

    def __init__(
        self,
        desk: ProcessDesk,
        handlers: Handlers,
        ledger: Ledger,
        board: Board,
        slots: int,
        plan: WorkerPlan,
    ) -> None:
        self._handlers = handlers
        self._board = board
        self._ledger = ledger
        self._leases: dict[bytes, int] = {}
        self._aside: list[Buffered] = []
        self._cancelled: set[tuple[bytes, int]] = set()
        self._foretold: dict[tuple[bytes, int], None] = {}
        self.running: dict[int, Attempt] = {}
        self.lanes: dict[bool, Lane] = {}
        self._processes: ProcessSlots | None = None
        self._batches: list[BatchSlots] = []
        self._alone = plan.alone
        kinds = handlers.table.kinds or {True}
        # Two kinds take every other number, so that none grows into the other's.
        step = len(kinds)
        if handlers.table.queue.executor == "process":
            # Not every worker has to carry it.
            from pipeline.worker.process_slots import ProcessSlots

            self._processes = self.lanes[True] = ProcessSlots(desk, slots, plan, handlers.table.queue)
        elif True in kinds:
            self.lanes[True] = self._lane(LoopSlots, desk, slots, 0, step)
        if False in kinds:
            self.lanes[False] = self._lane(ThreadSlots, desk, slots, step - 1, step)

    def _lane(
        self, kind: type[LoopSlots | ThreadSlots], desk: Desk, slots: int, first: int, step: int
    ) -> Lane:
        batch = self._handlers.table.queue.batch
        if batch is None:
            return kind(desk, slots, first, step)
        batching = Batching(1) if self._alone else batch
        lane = BatchSlots(desk, lambda inner: kind(inner, slots), batching, first, step)
        self._batches.append(lane)
        return lane

    @property
    def padding(self) -> int:
        """Room in batches that run, which nothing can use before they end."""
        return sum(lane.padding for lane in self._batches)

    def __len__(self) -> int:
        return len(self._leases)

    async def loaded(self) -> None:
        """Wait for handlers that load in processes of their own. Raises StartError when they cannot."""
        if self._processes is not None:
            await self._processes.ready

    async def close(self, timeout: float) -> None:
        """Let those processes go, within `timeout` seconds."""
        if self._processes is not None:
            await self._processes.close(timeout)

    @property
    def buffered(self) -> int:
        """How many jobs no slot has begun."""
        return sum(map(len, self.lanes.values()))

    def receive(self, jobs: list[Buffered]) -> list[Buffered]:
        """The broker leased us these jobs; the result are those that nobody cancelled meanwhile."""
        leases = self._leases
        for job in jobs:
            leases[job.id] = job.lease
        if not self._cancelled:
            return jobs
        cancelled, self._cancelled = self._cancelled, set()
        self._ledger.give_back([job for job in jobs if (job.id, job.lease) in cancelled])
        return [job for job in jobs if (job.id, job.lease) not in cancelled]

    def unheard(self, jobs: list[Buffered]) -> list[Buffered]:
        """Those of an inbox that we did not hear of otherwise: a letter may be slower than the answer to what we hold."""
        fresh = []
        for job in jobs:
            if (job.id, job.lease) in self._foretold:
                del self._foretold[job.id, job.lease]
            elif self._leases.get(job.id) != job.lease:
                fresh.append(job)
        return fresh

    def begin(self, jobs: list[Buffered]) -> None:
        """Give jobs to the slots that can run them."""
        if len(self.lanes) == 1:
            for lane in self.lanes.values():
                lane.add(jobs)
            return
        kinds: dict[bool, list[Buffered]] = {True: [], False: []}
        for job in jobs:
            kinds[self._handlers.is_async(job.record)].append(job)
        for kind, lane in self.lanes.items():
            lane.add(kinds[kind])

    def prepare(self, policy: QueuePolicy) -> Table:
        """What `apply` needs. Raises StartError when there are no slots for a handler, or what its import raises."""
        table = self._handlers.prepare(policy)
        if not table.kinds <= self.lanes.keys():
            reason = f"queue {policy.name!r} has handlers of another kind (`async def`, `def`) now"
            raise StartError(f"{reason}: they need a new process", CANNOT_START)
        return table

    def apply(self, table: Table, slots: int) -> None:
        """Begin jobs by this table, and so many at once. What runs goes on, also where there are fewer slots."""
        self._handlers.table = table
        for lane in self.lanes.values():
            lane.resize(slots)
        if self._processes is not None:
            self._processes.change(table.queue)

    def set_aside(self, job: Buffered) -> None:
        """Keep a job that a slot asked for until it is known to be ours still. From any thread."""
        self._aside.append(job)

    def take_back(self) -> list[Buffered]:
        """Everything that no slot has begun."""
        aside, self._aside = self._aside, []
        return [job for lane in self.lanes.values() for job in lane.drain()] + aside

    def let_go(self, page: Page) -> None:
        """The broker has settled these."""
        leases = self._leases
        # One may be ours anew meanwhile, under another lease.
        for attempt in page.done:
            if leases.get(attempt.id) == attempt.lease:
                del leases[attempt.id]
        for move in page.moves:
            if leases.get(move.id) == move.lease:
                del leases[move.id]
        self._board.told(page.ends)

    def reconcile(self, told: list[Held], flight: Page | None) -> list[Buffered]:
        """Go by what the broker says we hold. `flight` is a page without an answer.

        What it did not settle is told again, what is not ours any more is forgotten; returns what is to be
        begun, with what we did not know of.
        """
        leases = {job.id: int(job.lease) for job in told}
        if flight is not None:
            self.let_go(flight)
            again = self._ledger.restore(flight, leases)
            self._leases.update([(id, leases[id]) for id in again.ids])
            self._board.told(-again.ends)
        for attempt in list(self.running.values()):
            if leases.get(attempt.id) != attempt.lease:
                self.lose(attempt)
        ours = []
        for job in self.take_back():
            if leases.get(job.id) == job.lease:
                ours.append(job)
            elif self._leases.get(job.id) == job.lease:
                # Unless a turn has leased it to us anew meanwhile.
                del self._leases[job.id]
        new = self._unknown(told, leases)
        # The letter of one that was handed over may be on its way still, and the job have ended when it comes.
        self._foretold |= {(job.id, job.lease): None for job in new}
        for late in list(self._foretold)[:-FORETOLD]:
            del self._foretold[late]
        new = self.receive(new)
        return ours + new

    def lose(self, attempt: Attempt) -> None:
        """Its lease is lost: what it does counts no more. An async handler is cancelled; in a thread the next note
        raises LeaseLost."""
        slot = next((slot for slot, running in self.running.items() if running is attempt), None)
        if slot is None or attempt.stopped:
            return
        log.warning("lost the lease of %s %s: it is told to stop", attempt.job.name, attempt.job.id)
        if self._leases.get(attempt.id) == attempt.lease:
            del self._leases[attempt.id]
        attempt.stopped = "lost"
        self._board.told(1)
        if attempt.handler.is_async:
            self.lanes[True].stop(slot, attempt, "lost")

    def cancel(self, id: bytes, lease: int) -> None:
        """A person cancelled this job: it goes back, and the broker knows better than to let it wait again. An async
        handler is cancelled; in a thread the next note raises JobCancelled."""
        for slot, attempt in list(self.running.items()):
            if (attempt.id, attempt.lease) == (id, lease) and not attempt.stopped:
                log.info("%s %s is cancelled: it is told to stop", attempt.job.name, attempt.job.id)
                attempt.stopped = "cancel"
                if attempt.handler.is_async:
                    self.lanes[True].stop(slot, attempt, "cancel")
                return
        if self._leases.get(id) != lease:
            # The letter was quicker than the job.
            self._cancelled.add((id, lease))
            return
        buffered = self.take_back()
        self._ledger.give_back([job for job in buffered if (job.id, job.lease) == (id, lease)])
        self.begin([job for job in buffered if (job.id, job.lease) != (id, lease)])

    def _unknown(self, told: list[Held], leases: Mapping[bytes, int]) -> list[Buffered]:
        return [
            Buffered(job.id, leases[job.id], job.record, job.runs)
            for job in told
            if self._leases.get(job.id) != leases[job.id] and job.record is not None
        ]
