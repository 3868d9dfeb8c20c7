"""What ended in this worker and has not been told to the broker yet.

A turn takes a page: everything that ended since the last one. A page whose answer was lost is put back,
without what the broker did settle.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import compress
from typing import Any, Literal

from msgspec import Struct

from pipeline.errors import WorkerCrashed
from pipeline.job import NO_RUNS, KeptError, Outcome, Runs, decode_runs, encode
from pipeline.policy import QueuePolicy
from pipeline.retry import Failure, decide, way_back
from pipeline.store.letters import Death
from pipeline.store.names import MARK, field
from pipeline.store.scripts import Argument
from pipeline.store.store import Move
from pipeline.worker.attempt import Attempt, Buffered, Refused, retry_policy

AHEAD_SECONDS, AHEAD_JOBS = 0.004, 256
BUCKETS = 64
PLAIN_OUTCOME = b"[%d,%d,%d]"
RESULT_OUTCOME = b"[%d,%d,%d,%b]"


class Page(Struct):
    """What one turn tells: completed attempts, other moves, and by how much counters rise."""

    done: list[Attempt]
    moves: list[Move]
    counters: defaultdict[str, int]
    begun: int = 0
    """How many of the moves are of jobs that were begun here."""

    @property
    def ends(self) -> int:
        """How many jobs that were begun here it tells the end of."""
        return len(self.done) + self.begun

    @property
    def ids(self) -> list[bytes]:
        """The jobs that it is about."""
        return [attempt.id for attempt in self.done] + [move.id for move in self.moves]

    def __len__(self) -> int:
        return len(self.done) + len(self.moves)


class Dying(Struct, frozen=True):
    """A job that is dead once the queue `home` has its copy."""

    home: str
    death: Death
    move: Move
    attempt: Attempt | Refused


def blank() -> Page:
    return Page([], [], defaultdict(int))


def counter_of(outcome: str, name: str) -> str:
    """The counter of attempts at jobs of one name that ended one way."""
    return MARK + field(outcome, name)


def ended_as(move: Move, *, spent: bool) -> str:
    """What an attempt that did not complete is counted as: it ended its job, failed, or is to be made later."""
    return move.move if move.move in ("dead", "cancelled") else "failed" if spent else "postponed"


class Ledger:
    """The ended jobs of one queue. `offset` is what turns monotonic ms into the server's."""

    def __init__(self, policy: QueuePolicy) -> None:
        self.policy = policy
        self.offset = 0.0
        self.relay: Callable[[Move | None, Attempt | Refused], None] | None = None
        """Takes the ends of jobs that belong to a flow, and hands them to `settle` once the flow knows."""
        self.pace = 0.0
        """Seconds that a handler takes, lately: it rises at once and falls slowly."""
        self.deaths: list[Dying] = []
        """Jobs that get a copy in a dead-letter queue before they are settled."""
        self._page = blank()
        self._measured = 0

    def __len__(self) -> int:
        return len(self._page)

    def complete(self, attempt: Attempt) -> None:
        """A handler returned."""
        if attempt.job.options.flow and self.relay is not None:
            self.relay(None, attempt)
        else:
            self._page.done.append(attempt)

    def fail(self, attempt: Attempt | Refused, failure: Failure) -> Move:
        """A handler failed, or could not be called: the move that follows, by the policy that holds now."""
        retry = retry_policy(attempt.job, self.policy.job(attempt.job.name) or attempt.policy)
        attempt.job.attempts = retry.attempts
        verdict = decide(retry, attempt.runs.attempts + 1, failure)
        at = self.server_ms(attempt.ended if isinstance(attempt, Attempt) else time.monotonic())
        runs = attempt.runs.failed(failure.error, at, spent=verdict.spent)
        if self._way_back(attempt) == "alone":
            # It ran alone and the process lives: the crashes before were another's.
            runs = Runs(runs.attempts, 0, runs.errors, runs.redriven)
        if verdict.move in ("dead", "cancelled"):
            started = self.server_ms(attempt.begun) if isinstance(attempt, Attempt) else None
            outcome = Outcome(attempt.runs.attempts + 1, started, at, None, runs.errors[-1])
            move = Move(verdict.move, attempt.id, attempt.lease, runs=encode(runs), outcome=encode(outcome))
            move = self._ending(move, attempt)
            self._bury(move, attempt, runs.errors[-1])
        else:
            level = attempt.job.options.priority
            move = Move(verdict.move, attempt.id, attempt.lease, level, verdict.delay, encode(runs))
            self.settle(move)
        if verdict.spent:
            self._page.counters["failed"] += 1
        self._count(attempt, ended_as(move, spent=verdict.spent))
        if isinstance(attempt, Attempt):
            self._measure([attempt])
        return move

    def settle(self, move: Move | None, attempt: Attempt | Refused | None = None) -> None:
        """The next turn tells this move of a job that was begun here; without one, that this attempt completed."""
        if move is None and isinstance(attempt, Attempt):
            self._page.done.append(attempt)
        elif move is not None:
            self._page.moves.append(move)
            self._page.begun += 1

    def end(self, move: Move, attempt: Attempt | Refused) -> None:
        """A job has ended. The flow that it belongs to hears of it before the broker does."""
        if attempt.job.options.flow and self.relay is not None:
            self.relay(move, attempt)
        else:
            self.settle(move)

    def stopped(self, attempt: Attempt) -> None:
        """A person cancelled a job while it ran: it goes back, and the broker cancels it."""
        self._count(attempt, "cancelled")
        if attempt.job.options.flow and self.relay is not None:
            self.relay(self._back(attempt), attempt)
        else:
            self.give_back([attempt])

    def crash(self, attempt: Attempt, why: str) -> Move:
        """The process of one job alone died through it: the move that follows. No attempt is spent."""
        runs, level = attempt.runs.crashed(), attempt.job.options.priority
        move = Move("front", attempt.id, attempt.lease, level, runs=encode(runs))
        if runs.crashes >= self.policy.max_crashes:
            at, spent = self.server_ms(attempt.ended), attempt.job.attempt
            error = KeptError(spent, at, WorkerCrashed.__name__, f"{why}, {runs.crashes} times")
            outcome = Outcome(spent, self.server_ms(attempt.begun), at, None, error)
            move = Move("dead", attempt.id, attempt.lease, runs=encode(runs), outcome=encode(outcome))
            move = self._ending(move, attempt)
            self._bury(move, attempt, error)
        else:
            self.settle(move)
        self._count(attempt, "dead" if move.move == "dead" else "crashed")
        self._measure([attempt])
        return move

    def _bury(self, move: Move, attempt: Attempt | Refused, error: KeptError) -> None:
        """A job has ended without success. A dead-letter queue gets its copy before anybody hears of it."""
        home = self.policy.dead_letter.queue if move.move == "dead" else None
        if home is None:
            self.end(move, attempt)
        else:
            death = Death(attempt.job.id, attempt.runs.redriven, error)
            self.deaths.append(Dying(home, death, move, attempt))

    def give_back(self, held: Iterable[Buffered | Attempt]) -> None:
        """Jobs go back unused, to the front of their level, in the order in which they came."""
        held = list(held)
        self._page.begun += sum(isinstance(job, Attempt) for job in held)
        moves = [self._back(job) for job in held]
        self._page.moves.extend(reversed(moves))

    def take(self) -> Page:
        """Everything that ended since the last call."""
        if done := self._page.done[self._measured :]:
            for name, count in self._measure(done).items():
                self._page.counters[counter_of("completed", name)] += count
        page, self._page, self._measured = self._page, blank(), 0
        return page

    def restore(self, page: Page, leases: Mapping[bytes, int]) -> Page:
        """The answer to a page was lost: tell again what the broker still has under the same lease.

        Returns that part of the page; the other jobs were settled, or reclaimed.
        """
        done = [a for a in page.done if leases.get(a.id) == a.lease]
        moves = [m for m in page.moves if leases.get(m.id) == m.lease]
        # A turn is carried out as a whole or not at all, but for jobs that were taken away meanwhile.
        begun = min(page.begun, len(moves))
        self._page.done[:0] = done
        self._page.moves[:0] = moves
        self._page.begun += begun
        if done or moves:
            # The turn was not carried out, so nothing of it is counted yet.
            self._measured += len(done)
            for name, by in page.counters.items():
                self._page.counters[name] += by
        return Page(done, moves, page.counters, begun)

    def lost(self, page: Page, refused: Collection[bytes]) -> None:
        """The leases of some jobs of a page were lost: that they completed here does not count after all."""
        for attempt in page.done:
            if attempt.id in refused:
                self._count(attempt, "completed", -1)

    def told(self, page: Page) -> dict[str, Any]:
        """What a turn says of a page: arguments of `Store.turn`."""
        keep = self.policy.completed.count
        return {
            "keep": -1 if keep is None else keep,
            "ids": [attempt.id for attempt in page.done],
            "leases": [attempt.lease for attempt in page.done],
            "outcomes": self.outcomes(page.done),
            "unlocks": self.unlocks(page.done),
            "moves": page.moves,
            "counters": [part for item in page.counters.items() for part in item],
        }

    def outcomes(self, done: list[Attempt]) -> list[bytes]:
        """(id, outcome), flat, of those completed jobs that the retention will keep."""
        keep = self.policy.completed.count
        kept = done if keep is None else done[max(len(done) - keep, 0) :]
        flat = []
        for attempt in kept:
            flat.append(attempt.id)
            flat.append(self._outcome(attempt))
        return flat

    def unlocks(self, done: list[Attempt]) -> list[Argument]:
        """(id, deduplication key, how long the id stays taken), flat, of those that hold any."""
        # What makes the jobs of flows remembers them: their ids need not be kept.
        holding = [one for one in done if not one.id.isdigit() or one.job.options.key]
        ours = [one for one in holding if not one.job.options.flow]
        return [part for one in ours for part in (one.id, one.job.options.key, self._keep(one))]

    def ahead(self, slots: int) -> int:
        """How many jobs to hold beyond the slots: a few ms of work, none for slow handlers, or where only so many may be
        active, or start in a lane."""
        lanes = self.policy.lanes
        limited = self.policy.max_active is not None or (lanes is not None and lanes.rate_limit is not None)
        if not 0 < self.pace <= AHEAD_SECONDS or limited:
            return 0
        return min(int(slots * AHEAD_SECONDS / self.pace), AHEAD_JOBS)

    def server_ms(self, moment: float) -> int:
        """The server's time of a moment of the monotonic clock."""
        return int(moment * 1000 + self.offset)

    def _back(self, job: Buffered | Attempt) -> Move:
        way = self._way_back(job)
        # What did not start gives its place under the rate limit back, too.
        move = "unused" if way == "front" and isinstance(job, Buffered) else way
        return Move(move, job.id, job.lease, job.priority)

    def _way_back(self, job: Buffered | Attempt | Refused) -> Literal["front", "alone"]:
        if self.policy.executor == "process":
            return "front"  # each job has a process of its own as it is
        runs = job.runs if isinstance(job.runs, Runs) else decode_runs(job.runs) if job.runs else NO_RUNS
        return way_back(runs, self.policy.max_crashes)

    def _outcome(self, attempt: Attempt) -> bytes:
        # Two estimates of one clock differ by a millisecond: no job begins before it came.
        begun = max(self.server_ms(attempt.begun), attempt.job.enqueued_at)
        ended = max(self.server_ms(attempt.ended), begun)
        if attempt.result:
            return RESULT_OUTCOME % (attempt.job.attempt, begun, ended, attempt.result)
        return PLAIN_OUTCOME % (attempt.job.attempt, begun, ended)

    def _ending(self, move: Move, attempt: Attempt | Refused) -> Move:
        return move._replace(key=attempt.job.options.key, keep=self._keep(attempt))

    def _keep(self, attempt: Attempt | Refused) -> int | str:
        return "" if attempt.id.isdigit() else attempt.job.options.kept(self.policy.ids_keep)

    def _count(self, attempt: Attempt | Refused, outcome: str, by: int = 1) -> None:
        self._page.counters[counter_of(outcome, attempt.job.name)] += by

    def _measure(self, ended: list[Attempt]) -> dict[str, int]:
        """Histograms of run and wait time, and their sums in microseconds: bucket i counts what took less than 2**i tenths
        of a ms. The result is how many there are of each job name."""
        pace, offset = self.pace, self.offset
        run, wait = [0] * BUCKETS, [0] * BUCKETS
        run_sum, wait_sum = 0.0, 0
        names: defaultdict[str, int] = defaultdict(int)
        for attempt in ended:
            job, begun = attempt.job, attempt.begun
            ran = attempt.ended - begun
            pace = ran if ran > pace else pace + (ran - pace) * 0.05
            run[int(ran * 10_000).bit_length()] += 1
            run_sum += ran
            waited = int((begun * 1000 + offset - job.enqueued_at) * 10)
            if waited > 0:
                wait[waited.bit_length()] += 1
                wait_sum += waited
            else:
                wait[0] += 1
            names[job.name] += 1
        self.pace = pace
        counters = self._page.counters
        for bucket in compress(NUMBERS, run):
            counters[RUN[bucket]] += run[bucket]
        for bucket in compress(NUMBERS, wait):
            counters[WAIT[bucket]] += wait[bucket]
        counters["run_us"] += int(run_sum * 1_000_000)
        counters["wait_us"] += wait_sum * 100
        return names


NUMBERS = range(BUCKETS)
RUN, WAIT = ([f"{kind}:{bucket}" for bucket in NUMBERS] for kind in ("run", "wait"))
