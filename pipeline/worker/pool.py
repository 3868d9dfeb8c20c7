"""A worker's share of a queue: turns with the broker, jobs into slots, what ended back into the next turn."""

from __future__ import annotations

import asyncio
import logging
from math import inf
from typing import Protocol

import hiredis

from pipeline.broker import parse
from pipeline.errors import BrokerError, LeaseLost
from pipeline.plan import WorkerPlan
from pipeline.policy import QueuePolicy
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.store import Store
from pipeline.store.wire import Command, Connection, Reply
from pipeline.worker.attempt import (
    Attempt,
    Buffered,
    Handlers,
    Refused,
    Table,
    handed_over,
    told_to_stop,
)
from pipeline.worker.board import Board
from pipeline.worker.ends import Ends
from pipeline.worker.hand import Hand
from pipeline.worker.late_relay import LateRelay
from pipeline.worker.leave import Leave
from pipeline.worker.ledger import Ledger, Page
from pipeline.worker.letters import Letters
from pipeline.worker.link import Link
from pipeline.worker.notes import Notes
from pipeline.worker.report import listed
from pipeline.worker.slots import now
from pipeline.worker.starts import Starts
from pipeline.worker.watch import STALL_SECONDS, Watch

BATCH = 1000
UNKNOWN = -2
"""Instead of when the next delayed job is due: we hold other jobs than we know of."""
log = logging.getLogger("pipeline.worker")


class Owner(Protocol):
    """What is told of a queue to the worker as a whole."""

    def retire(self, reason: str) -> None:
        """This process must be replaced."""

    def serves(self) -> None:
        """The first turn has been answered: jobs are taken from now on."""

    def denied(self, reason: str) -> None:
        """The broker does not let us in."""


class Pool:
    """One worker's part in one queue. `run` returns when the worker has left the queue, or raises LeaseLost
    when it was reclaimed.

    `owner` is told why this process must be replaced, and when the queue is served.
    """

    def __init__(self, plan: WorkerPlan, handlers: Handlers, board: Board, owner: Owner) -> None:
        policy = handlers.table.queue
        self.plan = plan
        self.concurrency = 1 if plan.alone else policy.at_once
        self.ledger = Ledger(policy)
        self._owner = owner
        self._store = Store(plan.project, policy.name)
        self._handlers = handlers
        self._board = board
        self._loop = asyncio.get_running_loop()
        inbox = keys.inbox(self._store.queue, plan.worker)
        self._link = Link(parse(plan.broker), inbox, self._linked, owner.denied)
        self._hand = Hand(self, handlers, self.ledger, board, self._slots(policy), plan)
        self._running = self._hand.running
        self._watch = Watch(self, self._link, self._hand, self.ledger, board)
        self._leave = Leave(self, self._link, self._hand, self.ledger, self._store.leave(plan.worker))
        self._relay = LateRelay(plan.project, self._link, self.ledger, self)
        notes = Notes(self._store, plan.worker, self._link, self._running, self._hand.lose, self._relay.ask)
        handlers.note = notes.send
        self._ends = Ends(self._hand, self.ledger, notes)
        self._starts = Starts(self._store, self._link)
        self._letters = Letters(plan.project, policy.name, self._link, self.ledger, self.kick)
        self._number = 0
        self._flight: Page | None = None
        self._turning = self._scheduled = self._parked = self._poked = self._joined = self._changed = False
        self._rung = False
        self._sure = True
        self._served = False
        self._rated = policy.has_rate
        self._due: asyncio.TimerHandle | None = None

    async def loaded(self) -> None:
        """Wait for handlers that load in processes of their own. Raises StartError when they cannot."""
        await self._hand.loaded()

    async def close(self, timeout: float) -> None:
        """Let those processes go, within `timeout` seconds."""
        await self._hand.close(timeout)

    @property
    def quiet(self) -> bool:
        """Whether it takes no new jobs."""
        return self._leave.quiet

    async def run(self) -> None:
        """Serve until the worker has left. Raises LeaseLost when it was reclaimed meanwhile."""
        self._link.open()
        self._watch.tick()
        try:
            await self._leave.gone
        finally:
            self._link.close()

    # --- a hot change ----------------------------------------------------------------------------------

    def prepare(self, policy: QueuePolicy) -> Table:
        """What `apply` needs. Raises StartError when this process cannot, or what importing a handler raises."""
        return self._hand.prepare(policy)

    def apply(self, table: Table) -> None:
        """Go by another policy from the next job on. What runs goes on; what is too much to hold goes back."""
        self.ledger.policy = table.queue
        self._rated = table.queue.has_rate
        self.concurrency = 1 if self.plan.alone else table.queue.at_once
        self._hand.apply(table, self._slots(table.queue))
        # A turn that is under way asked by the policy before: its answer may bring too much, or too little.
        self._changed = self._turning or not self._sure
        if not self._changed:
            self._fit()
        self.kick()

    def _slots(self, policy: QueuePolicy) -> int:
        return 1 if self.plan.alone else policy.concurrency

    def _fit(self) -> None:
        room = max(self.concurrency + self._ahead() - len(self._running), 0)
        buffered = self._hand.take_back()
        self._hand.begin(buffered[:room])
        self.ledger.give_back(buffered[room:])

    # --- the turn ------------------------------------------------------------------------------------

    def kick(self) -> None:
        """Take a turn soon; everything that ends in this tick of the loop rides along."""
        if not self._scheduled and not self._turning:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.collect()
        if self.ledger.deaths:
            self._letters.send()
        turns = self._link.turns
        if self._turning or not self._joined or not self._sure or turns is None:
            return
        free = self.concurrency - len(self._hand) - self._hand.padding + len(self.ledger) + self._relay.count
        want = 0 if self._leave.quiet else min(max(free + self._ahead(), 0), BATCH)
        if not want and not self.ledger and not self._parked:
            self._leave.if_done()
            return
        page = self.ledger.take()
        self._turning, self._flight = True, page
        if page.done:
            self._watch.progress(page.done[-1].ended)
        command = self._command(page, want, park=want > 0 and free > 0 and not self.plan.alone)
        turns.send(lambda reply: self._turned(reply, want), command)

    def _command(self, page: Page, want: int, *, park: bool) -> Command:
        self._number += 1
        source = "alone" if self.plan.alone else ""
        told = self.ledger.told(page)
        holds = len(self._hand) - len(page)
        return self._store.turn(
            self.plan.worker, self._number, want=want, park=park, holds=holds, source=source, **told
        )

    def _turned(self, reply: Reply, want: int) -> None:
        if isinstance(reply, Exception):
            # No other turn follows before it is known what became of this one: see `_linked`.
            self._turn_failed(reply)
        else:
            self._turning = False
            self._answered(reply, want)

    def _answered(self, reply: Reply, want: int) -> None:
        self._serves()
        page, self._flight = self._flight, None
        time, refused, due, lease, ids, records, runs, inbox = reply
        seen = self._watch.seen()
        self.ledger.offset = time - seen * 1000
        self._starts.heard(time, seen)
        if page is not None:
            self._hand.let_go(page)
        if refused:
            self._lost(refused, page)
        if ids:
            leases = [lease] * len(ids)
            self._receive(list(map(Buffered, ids, leases, records, runs or [None] * len(ids))))
        if inbox:
            self._read(inbox)
        self._parked = due is not None and due != UNKNOWN
        if due == UNKNOWN:
            self.doubt()
        elif due is not None:
            self._park(due)
        elif self.plan.alone and not ids and want and not len(self._hand):
            self.stop()
        changed, self._changed = self._changed, False
        rung, self._rung = self._rung, False
        if changed:
            self._fit()
        if (
            self.ledger
            or self.ledger.deaths
            or self._ends
            or 0 < len(ids) < want
            or self._leave.quiet
            or changed
            or rung
        ):
            self.kick()

    def _lost(self, refused: list[bytes], page: Page | None) -> None:
        log.warning("lost the lease of %s: what they did does not count", listed(refused))
        if page is not None:
            self.ledger.lost(page, refused)

    def _serves(self) -> None:
        if not self._served:
            self._served = True
            self._owner.serves()

    def _ahead(self) -> int:
        # With two kinds of slots only their number bounds what runs at once, so nothing is held beyond it; nor is it
        # for batches, which take as many jobs as there are.
        alike = len(self._hand.lanes) == 1 and not self.plan.alone and self.ledger.policy.batch is None
        return self.ledger.ahead(self.concurrency) if alike else 0

    def _turn_failed(self, reply: Exception) -> None:
        # A lost connection needs nothing here: the link opens a new one, and then asks what is held.
        if not isinstance(reply, hiredis.ReplyError):
            return
        if str(reply).startswith("GONE"):
            self._reclaimed(LeaseLost("this worker was reclaimed: its jobs run elsewhere"))
            return
        self._link.refused(reply)

    def _park(self, due: int) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if due >= 0:
            self._due = self._loop.call_later(due / 1000, self.kick)

    def _woken(self, reply: Reply) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._link.refused(reply)
            return
        if isinstance(reply, Exception):
            return
        if reply is not None:
            # It may be younger than the answer that is on its way, and has overtaken it.
            self._rung = self._turning
            self._read(reply[1])
        self._link.listen(self._woken)
        self.kick()

    def _read(self, letters: list[bytes]) -> None:
        jobs = self._hand.unheard(handed_over(letters))
        if jobs:
            self._receive(jobs)
        for id, lease in told_to_stop(letters):
            self._hand.cancel(id, lease)

    def _receive(self, jobs: list[Buffered]) -> None:
        jobs = self._hand.receive(jobs)
        if self._leave.quiet:
            self.ledger.give_back(jobs)
            return
        self._watch.progress(now())
        self._hand.begin(jobs)

    # --- what slots ask ------------------------------------------------------------------------------

    def begin(self, slot: int, held: Buffered) -> Attempt | None:
        """The attempt to run in this slot; None when there is nothing to run after all. From any thread."""
        moment = now()
        if not self._sure or moment - self._watch.alive > STALL_SECONDS:
            self._hand.set_aside(held)
            self._loop.call_soon_threadsafe(self.doubt)
            return None
        attempt = self._handlers.begin(held, moment, self.ledger.offset)
        if isinstance(attempt, Refused):
            self._board.skip()
            self._loop.call_soon_threadsafe(self._refuse, attempt)
            return None
        if self._rated:
            apart = self.ledger.policy.lanes is not None
            self._starts.began(held.id, held.lease, moment, apart=apart)
        self._running[slot] = attempt
        deadline = 0 if attempt.hard == inf else int(attempt.hard * 1000)
        self._board.begin(slot, held.id, held.lease, int(moment * 1000), deadline)
        return attempt

    def ended(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt ended, on the loop."""
        attempt.ended = now()
        self._ends.enter(slot, attempt, error)
        if not (self._turning or self._scheduled):
            self.kick()

    def ended_in_thread(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt ended, in its thread. The loop is woken once for all that end meanwhile."""
        attempt.ended = now()
        self._ends.leave(slot, attempt, error)
        if not self._poked and not self._turning:
            self._poked = True
            self._loop.call_soon_threadsafe(self._turn)

    @property
    def offset(self) -> float:
        """What turns our ms into the server's."""
        return self.ledger.offset

    def cannot_start(self, reason: str) -> None:
        """The handlers do not load any more: another worker shall try."""
        self._owner.retire(f"a process for jobs of {self.ledger.policy.name} cannot start: {reason}")

    def idle(self, slot: int) -> None:
        """The slot waits for a job. From any thread."""
        self._board.end(slot)

    def collect(self) -> None:
        """Put down what has ended in threads."""
        self._poked = False
        self._ends.collect()

    def _refuse(self, refused: Refused) -> None:
        self._ends.refuse(refused)
        self.kick()

    # --- certainty: what is held after a lost answer or a standstill -----------------------------------

    async def _linked(self, connection: Connection) -> None:
        try:
            if self._joined:
                await self._verify(connection)
            else:
                await run(connection, self._store.join(self.plan.worker, self.plan.lease))
                self._joined = True
        except LeaseLost as error:
            self._reclaimed(error)
            return
        self._link.listen(self._woken)
        self._turning = False
        self._letters.send_again()
        self.kick()

    def doubt(self) -> None:
        """The loop stood still: begin nothing that is buffered before it is known to be ours still."""
        if self._sure and self._link.turns is not None:
            self._sure = False
            self._loop.create_task(self._reassure(self._link.turns))

    async def _reassure(self, connection: Connection) -> None:
        try:
            await self._verify(connection)
        except LeaseLost as error:
            self._reclaimed(error)
        except BrokerError:
            self._link.reset()  # and the new connection asks again
        self.kick()

    async def _verify(self, connection: Connection) -> None:
        self._sure = False
        self._number += 1
        _, told = await run(connection, self._store.hold(self.plan.worker, self._number))
        self._watch.seen()
        self.collect()
        flight, self._flight = self._flight, None
        jobs = self._hand.reconcile(told, flight)
        # Only now: a thread must begin nothing that is about to be dropped.
        self._sure = True
        if self._leave.quiet:
            self.ledger.give_back(jobs)
        else:
            self._hand.begin(jobs)

    # --- the end -------------------------------------------------------------------------------------

    def abandon(self, slot: int, attempt: Attempt) -> None:
        """The handler passed its limit and cannot be stopped: the job has failed, and the process must go."""
        attempt.stopped, attempt.ended = "abandoned", now()
        del self._running[slot]
        self._ends.fail(attempt, None)
        self._owner.retire(f"{attempt.job.name} {attempt.job.id} does not stop at its time limit")

    def hush(self) -> None:
        """Take no new jobs, and give back what has not begun."""
        self._leave.hush()

    def stop(self, timeout: int | None = None) -> None:
        """Drain: hush, end what runs, leave. After `timeout` ms the rest is released."""
        self._leave.stop(timeout)

    def release(self) -> None:
        """Give back what runs, at no cost, and leave."""
        self._leave.release()

    def _reclaimed(self, error: LeaseLost) -> None:
        # Another queue may keep this process a while: nothing of this one begins any more.
        self._sure = False
        self.collect()
        if self.ledger and self._link.turns is not None:
            # It is refused, as all of this worker is, and so it is counted.
            self._link.turns.send(lambda _: None, self._command(self.ledger.take(), 0, park=False))
            self._link.turns.flush()
        self._leave.reclaimed(error)
