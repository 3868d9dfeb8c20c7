"""A worker's share of a queue: turns with the broker, jobs into slots, what ended back into the next turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

import hiredis

from pipeline.errors import BrokerError, LeaseLost
from pipeline.job import LOG_LINE_BYTES, SENT, Job, encode
from pipeline.plan import WorkerPlan
from pipeline.store import keys
from pipeline.store.store import Held, Store, run
from pipeline.store.wire import Connection, Reply, parse
from pipeline.worker.attempt import Attempt, Buffered, Handlers, Refused, failure, timed_out
from pipeline.worker.board import Board
from pipeline.worker.ledger import Ledger, Page
from pipeline.worker.link import Link
from pipeline.worker.report import tell_failure
from pipeline.worker.slots import LoopSlots, ThreadSlots, now

AHEAD_SECONDS, AHEAD_JOBS = 0.004, 256
STALL_SECONDS = 1.0
STUCK_SECONDS = 0.05
GRACE_SECONDS = 5.0
BUSY_TICK, IDLE_TICK = 0.05, 0.5
log = logging.getLogger("pipeline.worker")


class Pool:
    """One worker's pool. `run` returns when the worker has left, or raises LeaseLost when it was reclaimed."""

    def __init__(self, plan: WorkerPlan, handlers: Handlers, board: Board) -> None:
        self.plan = plan
        self.concurrency = 1 if plan.alone else plan.queue.concurrency
        self.ledger = Ledger(plan.queue)
        self._store = Store(plan.project, plan.queue.name)
        self._handlers = handlers
        self._board = board
        self._loop = asyncio.get_running_loop()
        handlers.note = self._note
        self._lanes = self._make_lanes(handlers.kinds)
        inbox = keys.inbox(self._store.queue, plan.worker)
        self.link = Link(parse(plan.broker), inbox, self._linked)
        self._joined = False
        self._number = 0
        self._flight: Page | None = None
        self._turning = self._scheduled = self._parked = False
        self._due: asyncio.TimerHandle | None = None
        self._held: dict[bytes, int] = {}
        self._running: dict[int, Attempt] = {}
        self._ended: deque[tuple[int, Attempt, BaseException | None]] = deque()
        self._poked = False
        self._sure = True
        self._aside: list[Buffered] = []
        self._ticked = self._progress = now()
        self.quiet = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def _make_lanes(self, kinds: set[bool]) -> dict[bool, LoopSlots | ThreadSlots]:
        lanes: dict[bool, LoopSlots | ThreadSlots] = {}
        if True in kinds or not kinds:
            lanes[True] = LoopSlots(self, 0, self.concurrency)
        if False in kinds:
            lanes[False] = ThreadSlots(self, self.concurrency if lanes else 0, self.concurrency)
        return lanes

    async def run(self) -> None:
        """Serve until the worker has left. Raises LeaseLost when it was reclaimed meanwhile."""
        self.link.open()
        self._tick()
        await self.gone

    # --- the turn ------------------------------------------------------------------------------------

    def kick(self) -> None:
        """Take a turn soon; everything that ends in this tick of the loop rides along."""
        if not self._scheduled and not self._turning:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._collect()
        turns = self.link.turns
        if self._turning or not self._joined or not self._sure or turns is None:
            return
        free = self.concurrency - len(self._held) + len(self.ledger)
        want = 0 if self.quiet else max(free + self._ahead(), 0)
        if not want and not self.ledger and not self._parked:
            self._leave_if_done()
            return
        page = self.ledger.take()
        self._turning, self._flight = True, page
        self._number += 1
        park = want > 0 and free > 0 and not self.plan.alone
        command = self._store.turn(
            self.plan.worker,
            self._number,
            want=min(want, 1000),
            park=park,
            source="alone" if self.plan.alone else "",
            keep=-1 if (keep := self.ledger.policy.completed.count) is None else keep,
            ids=[attempt.id for attempt in page.done],
            leases=[attempt.lease for attempt in page.done],
            outcomes=self.ledger.outcomes(page.done),
            moves=page.moves,
            counters=[part for item in page.counters.items() for part in item],
        )
        turns.send(lambda reply: self._turned(reply, want), command)

    def _turned(self, reply: Reply, want: int) -> None:
        self._turning = False
        if isinstance(reply, Exception):
            self._turn_failed(reply)
            return
        page, self._flight = self._flight, None
        time, refused, due, lease, ids, records, runs, inbox = reply
        self._ticked = now()
        self.ledger.offset = time - self._ticked * 1000
        if page is not None:
            self._let_out(page)
        if refused:
            log.warning("lost the lease of %s: what they did does not count", _listed(refused))
        if ids:
            leases = [lease] * len(ids)
            self._receive(list(map(Buffered, ids, leases, records, runs or [None] * len(ids))))
        if inbox:
            self._receive_inbox(inbox)
        self._parked = due is not None
        if due is not None:
            self._park(due)
        elif self.plan.alone and not ids and want and not self._held:
            self.stop()
        if self.ledger or self._ended or 0 < len(ids) < want or self.quiet:
            self.kick()
        self._leave_if_done()

    def _turn_failed(self, reply: Exception) -> None:
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("GONE"):
            self._reclaimed(LeaseLost("this worker was reclaimed: its jobs run elsewhere"))
        elif isinstance(reply, hiredis.ReplyError):
            log.warning("the broker refused a turn: %s", reply)
            self._loop.call_later(0.5, self.link.reset)
        # A lost connection needs nothing here: the link opens a new one, and asks what is held.

    def _ahead(self) -> int:
        """How many jobs to hold beyond the slots: a few ms of work, none for slow handlers or under a limit."""
        pace = self.ledger.pace
        if pace <= 0 or pace > AHEAD_SECONDS or len(self._lanes) > 1 or self.plan.alone:
            return 0
        if self.ledger.policy.max_active is not None:
            return 0
        return min(int(self.concurrency * AHEAD_SECONDS / pace), AHEAD_JOBS)

    def _park(self, due: int) -> None:
        self.link.listen(self._woken)
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if due >= 0:
            self._due = self._loop.call_later(due / 1000, self.kick)

    def _woken(self, reply: Reply) -> None:
        if isinstance(reply, Exception):
            return
        if reply is not None:
            self._receive_inbox(reply[1])
        self.kick()

    def _receive_inbox(self, entries: list[bytes]) -> None:
        jobs = []
        for entry in filter(None, entries):
            lease, id, record = entry.split(b" ", 2)
            jobs.append(Buffered(id, int(lease), record))
        self._receive(jobs)

    def _receive(self, jobs: list[Buffered]) -> None:
        self._held.update([(job.id, job.lease) for job in jobs])
        if self.quiet:
            self.ledger.give_back(jobs)
            return
        self._progress = self._ticked
        self._dispatch(jobs)

    def _let_out(self, page: Page) -> None:
        held = self._held
        for attempt in page.done:
            held.pop(attempt.id, None)
        for move in page.moves:
            held.pop(move.id, None)

    def _dispatch(self, jobs: list[Buffered]) -> None:
        if len(self._lanes) == 1:
            next(iter(self._lanes.values())).add(jobs)
            return
        for job in jobs:
            self._lanes[self._handlers.is_async(job.record)].add([job])

    # --- what slots ask ------------------------------------------------------------------------------

    def begin(self, slot: int, held: Buffered) -> Attempt | None:
        """The attempt to run in this slot; None when there is nothing to run after all."""
        moment = now()
        if not self._sure or moment - self._ticked > STALL_SECONDS:
            self._aside.append(held)
            self._loop.call_soon_threadsafe(self._doubt)
            return None
        attempt = self._handlers.begin(held, moment)
        if isinstance(attempt, Refused):
            self._loop.call_soon_threadsafe(self._refuse, attempt)
            return None
        self._running[slot] = attempt
        deadline = int(attempt.hard * 1000) if attempt.hard != float("inf") else 0
        self._board.begin(slot, held.id, held.lease, int(moment * 1000), deadline)
        return attempt

    def ended(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt ended, on the loop."""
        attempt.ended = now()
        self._enter(slot, attempt, error)
        self.kick()

    def ended_in_thread(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """An attempt ended, in its thread. The loop is woken once for all that end meanwhile."""
        attempt.ended = now()
        self._ended.append((slot, attempt, error))
        if not self._poked and not self._turning:
            self._poked = True
            self._loop.call_soon_threadsafe(self._turn)

    def idle(self, slot: int) -> None:
        """The slot waits for a job."""
        self._board.end(slot)

    def _collect(self) -> None:
        self._poked = False
        while self._ended:
            self._enter(*self._ended.popleft())

    def _enter(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:
        """Put down how an attempt ended, unless nobody waited for it any more."""
        if attempt.stopped == "abandoned":
            return
        if self._running.get(slot) is attempt:
            del self._running[slot]
        self._progress = attempt.ended
        if attempt.stopped == "hard":
            self._failed(attempt, None)
        elif error is None:
            self.ledger.complete(attempt)
        elif attempt.stopped == "release" and isinstance(error, asyncio.CancelledError):
            self.ledger.give_back([attempt])
        else:
            self._failed(attempt, error)

    def _failed(self, attempt: Attempt, error: BaseException | None) -> None:
        limit = attempt.job.options.timeout or attempt.policy.timeout
        why = failure(error) if error is not None else timed_out(limit)
        tell_failure(attempt.job, why, self.ledger.fail(attempt, why))

    def _refuse(self, refused: Refused) -> None:
        tell_failure(refused.job, refused.failure, self.ledger.fail(refused, refused.failure))
        self.kick()

    def _note(self, job: Job[Any], kind: str, value: Any) -> Any:
        attempt = next((a for a in list(self._running.values()) if a.job is job), None)
        if attempt is None:
            return SENT
        progress = encode(value) if kind == "progress" else b""
        line = "" if kind == "progress" else str(value)[:LOG_LINE_BYTES]
        call = self._store.note(self.plan.worker, job.id, attempt.lease, progress, line)
        turns = self.link.turns
        if turns is None:
            return SENT
        if not attempt.handler.is_async:
            self._loop.call_soon_threadsafe(turns.send, _ignore, call.command)
            return SENT
        told: asyncio.Future[None] = self._loop.create_future()
        turns.send(lambda _: None if told.done() else told.set_result(None), call.command)
        return told

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
        self._turning = self.link.listening = False
        self.kick()

    def _doubt(self) -> None:
        """The loop stood still: begin nothing that is buffered before it is known to be ours still."""
        if self._sure and self.link.turns is not None:
            self._sure = False
            self._loop.create_task(self._reassure(self.link.turns))

    async def _reassure(self, connection: Connection) -> None:
        try:
            await self._verify(connection)
        except LeaseLost as error:
            self._reclaimed(error)
        except BrokerError:
            self.link.reset()  # and a new connection asks again
        self.kick()

    async def _verify(self, connection: Connection) -> None:
        self._sure = False
        self._number += 1
        _, held = await run(connection, self._store.hold(self.plan.worker, self._number))
        self._ticked, self._sure = now(), True
        self._reconcile(held)

    def _reconcile(self, held: list[Held]) -> None:
        """Go by what the broker says we hold: tell again, forget, or begin what we did not know of."""
        self._collect()
        leases = {job.id: int(job.lease) for job in held}
        if self._flight is not None:
            page, self._flight = self._flight, None
            self._let_out(page)
            for id in self.ledger.restore(page, leases):
                self._held[id] = leases[id]
        buffered = self._take_back() + self._aside
        self._aside = []
        ours = [job for job in buffered if leases.get(job.id) == job.lease]
        for job in buffered:
            if leases.get(job.id) != job.lease:
                del self._held[job.id]
        self._dispatch(ours)
        self._receive(
            [
                Buffered(job.id, leases[job.id], job.record, job.runs)
                for job in held
                if self._held.get(job.id) != leases[job.id] and job.record is not None
            ]
        )

    def _take_back(self) -> list[Buffered]:
        return [job for lane in self._lanes.values() for job in lane.drain()]

    # --- the clock -----------------------------------------------------------------------------------

    def _tick(self) -> None:
        moment = now()
        if moment - self._ticked > STALL_SECONDS and self._held:
            self._doubt()
        self._ticked = moment
        self._board.tick(int(moment * 1000), self.ledger.settled)
        for slot, attempt in list(self._running.items()):
            self._watch(slot, attempt, moment)
        buffered = sum(map(len, self._lanes.values()))
        if buffered and moment - self._progress > STUCK_SECONDS:
            # Every slot is busy with something slow: another worker may take these.
            self.ledger.pace = max(self.ledger.pace, STUCK_SECONDS)
            self.ledger.give_back(self._take_back())
            self.kick()
        self._loop.call_later(BUSY_TICK if self._held else IDLE_TICK, self._tick)

    def _watch(self, slot: int, attempt: Attempt, moment: float) -> None:
        lane = self._lanes[attempt.handler.is_async]
        if attempt.soft <= moment:
            attempt.soft = float("inf")
            lane.stop(slot, attempt, "soft")
        if attempt.hard > moment:
            return
        if attempt.handler.is_async and moment < attempt.hard + GRACE_SECONDS:
            if attempt.stopped != "hard":
                lane.stop(slot, attempt, "hard")
            return
        self._abandon(slot, attempt)

    def _abandon(self, slot: int, attempt: Attempt) -> None:
        """The handler passed its limit and cannot be stopped: the job has failed, and the process must go."""
        attempt.stopped, attempt.ended = "abandoned", now()
        del self._running[slot]
        self._failed(attempt, None)
        self.retire(f"{attempt.job.name} {attempt.job.id} does not stop at its time limit")

    # --- the end -------------------------------------------------------------------------------------

    def retire(self, reason: str) -> None:
        """This process must be replaced: end what runs, take nothing new. `on_retire` tells the supervisor."""
        if not self.quiet:
            self.on_retire(reason)
            self.stop(self.plan.stop_timeout)

    def on_retire(self, reason: str) -> None:
        """Replaced by main with what tells the supervisor."""

    def hush(self) -> None:
        """Take no new jobs, and give back what has not begun."""
        self.quiet = True
        self.ledger.give_back(self._take_back())
        self.kick()

    def stop(self, timeout: int | None = None) -> None:
        """Drain: hush, end what runs, leave. After `timeout` ms the rest is released."""
        self._stopping = True
        self.hush()
        if timeout is not None:
            self._loop.call_later(timeout / 1000, self.release)

    _stopping = False

    def release(self) -> None:
        """Give back what runs, at no cost: async handlers are cancelled, threads are left behind."""
        self._stopping = True
        self.hush()
        for slot, attempt in list(self._running.items()):
            if attempt.handler.is_async:
                self._lanes[True].stop(slot, attempt, "release")
        self._loop.call_later(1.0 if self._running else 0.0, self._let_go)

    def _let_go(self) -> None:
        self._collect()
        for attempt in self._running.values():
            log.warning("released %s %s: it will run again", attempt.job.name, attempt.job.id)
            attempt.stopped = "abandoned"
        self.ledger.give_back(list(self._running.values()))
        self._running.clear()
        self.kick()
        # The broker may be away: then the leases end, and a supervisor reclaims the jobs.
        self._loop.call_later(2.0, self._finish)

    def _leave_if_done(self) -> None:
        if self._stopping and not self._held and not self._turning and not self.gone.done():
            self._loop.create_task(self._leave())

    async def _leave(self) -> None:
        if self.link.turns is not None:
            try:
                await run(self.link.turns, self._store.leave(self.plan.worker))
            except BrokerError as error:
                log.warning("left without telling the broker: %s", error)
        self._finish()

    def _finish(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def _reclaimed(self, error: LeaseLost) -> None:
        if not self.gone.done():
            self.gone.set_exception(error)


def _ignore(_: Reply) -> None:
    """A sync handler does not wait for its notes."""


def _listed(ids: list[bytes]) -> str:
    shown = ", ".join(id.decode() for id in ids[:5])
    return shown + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
