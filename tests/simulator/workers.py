"""A virtual worker: what pipeline/worker/pool.py does, one command at a time and without real time."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.errors import BrokerRefused
from pipeline.job import Job, Outcome, Runs, decode_job, decode_runs, encode
from pipeline.policy import QueuePolicy
from pipeline.retry import way_back
from pipeline.store import keys
from pipeline.store.store import Held, Move
from pipeline.store.wire import Reply
from tests.simulator.places import Lease, Violation
from tests.simulator.producers import until_answered
from tests.simulator.world import LEASE, Client, Lost, Steps, World

CONCURRENCY = 2
ATTEMPTS = 3
LISTEN = 2_000
UNKNOWN = -2
POLICY = QueuePolicy("q", ids_keep=300)


def keep_of(id: bytes) -> int | str:
    """How long a caller's id stays taken."""
    return "" if id.isdigit() else POLICY.ids_keep


def runs_of(job: Held) -> Runs:
    return decode_runs(job.runs) if job.runs else Runs()


def record_of(job: Held) -> Job[dict[str, bool]]:
    assert job.record is not None
    return decode_job(job.record)


class Attempt(NamedTuple):
    """A job that runs, and how often the state had gone back when it began."""

    job: Held
    epoch: int


class Ended(NamedTuple):
    """How an attempt ended, not told yet. `plain` completions are told in bulk."""

    move: Move
    epoch: int
    plain: bool = False


class Worker:
    """The state of one virtual worker process. One that is `alone` takes only jobs that must run so, and leaves."""

    def __init__(self, world: World, name: str, *, alone: bool = False) -> None:
        self.world = world
        self.name = name
        self.alone = alone
        self.slots = 1 if alone else CONCURRENCY
        self.number = 0
        self.held: dict[bytes, int] = {}
        self.buffer: list[Held] = []
        self.running: dict[tuple[bytes, int], Attempt] = {}
        self.ended: list[Ended] = []
        self.flight: list[Ended] | None = None
        self.sure, self.parked, self.quiet = True, False, False
        self.wake_at = math.inf
        self.listened = 0
        world.boards[name] = set()

    def client(self) -> Client:
        yield from until_answered(self.world.store.join(self.name, LEASE).command)
        while True:
            try:
                self.notice_standstill()
                if not self.sure:
                    yield from self.ask_what_is_held()
                self.work()
                if self.quiet and not (self.held or self.ended or self.parked):
                    yield self.world.store.leave(self.name).command
                    return
                yield from self.next_command()
            except Lost:
                if self.quiet and not self.held:
                    return
                self.sure = False
            except BrokerRefused as error:
                if "GONE" not in error.message:
                    raise Violation(error.message) from None
                self.world.faults["gone"] += 1
                self.world.boards[self.name].clear()
                return

    def notice_standstill(self) -> None:
        """It notices by its clock, and may have lost what it had not begun."""
        if self.name in self.world.standing:
            self.world.standing.discard(self.name)
            self.sure = False

    def next_command(self) -> Steps:
        idle = self.parked and not self.ended and not self.quiet and self.world.time < self.wake_at
        if idle:
            letters = yield ("LPOP", keys.inbox(self.world.store.queue, self.name), 100)
            if letters is None and self.world.moment > self.listened + LISTEN:
                # A wait that ends is followed by a turn.
                self.parked = False
            for letter in letters or []:
                self.parked = False
                self.receive(letter)
        elif self.running and not self.ended and (self.quiet or self.world.random.random() < 0.4):
            yield from self.note()
        else:
            yield from self.turn()

    def turn(self) -> Steps:
        self.number += 1
        self.flight, self.ended = self.ended, []
        # In bulk go first, as in a page of the ledger.
        quick = [ended.move for ended in self.flight if ended.plain]
        moves = [ended.move for ended in self.flight if not ended.plain]
        free = self.slots - len(self.held) + len(self.flight)
        ahead = 0 if self.alone else self.world.random.choice((0, 2, 4))
        want = 0 if self.quiet else max(free + ahead, 0)
        keep = self.world.keep
        kept = quick if keep < 0 else quick[max(len(quick) - keep, 0) :]
        reply = yield self.world.store.turn(
            self.name,
            self.number,
            want=want,
            park=want > 0 and free > 0 and not self.alone,
            holds=len(self.held) - len(self.flight),
            source="alone" if self.alone else "",
            keep=keep,
            ids=[move.id for move in quick],
            leases=[move.lease for move in quick],
            outcomes=[part for move in kept for part in (move.id, move.outcome)],
            unlocks=[
                part for move in quick if move.key or move.keep for part in (move.id, move.key, move.keep)
            ],
            moves=moves,
            counters=[],
        )
        self.look_around(reply)
        self.answered(reply, want)

    def answered(self, reply: Reply, want: int) -> None:
        time, refused, due, lease, ids, records, runs, inbox = reply
        self.world.faults["refused"] += len(refused)
        self.never_anothers(self.flight or [], refused)
        self.forget(self.flight or [])
        self.flight = None
        for id, record, earlier in zip(ids, records, runs or [None] * len(ids), strict=True):
            self.take(Held(id, str(lease).encode(), record, earlier))
        for letter in inbox:
            self.receive(letter)
        self.parked = due is not None and due != UNKNOWN
        if due == UNKNOWN:
            self.sure = False
        else:
            self.knows_all()
        self.listened = self.world.moment
        self.wake_at = time + due if due is not None and due >= 0 else math.inf
        if self.alone and not ids and want and not self.held:
            self.quiet = True

    def look_around(self, reply: Reply) -> None:
        """Right after a turn the broker must see this worker as it sees itself."""
        seen = self.world.view
        if self.name.encode() not in seen.workers:
            raise Violation(f"{self.name} was reclaimed, and takes a turn")
        if seen.letters[self.name.encode()]:
            raise Violation("a turn left something in the inbox")
        active = sum(isinstance(place, Lease) for place in seen.places.values())
        if reply[4] and seen.limit is not None and active > seen.limit:
            raise Violation(f"{active} jobs are active, and {seen.limit} may be")
        self.keeps_the_rate(reply)
        if (reply[2] not in (None, UNKNOWN)) != (self.name.encode() in seen.parked):
            raise Violation("a worker is parked and does not know it, or the other way round")

    def keeps_the_rate(self, reply: Reply) -> None:
        """What it took is within what may start in any window."""
        if reply[4] and self.world.view.rate is not None:
            most, per = self.world.view.rate
            count = self.world.model.started(reply[0] - per, reply[0])
            if count > most:
                raise Violation(f"{count} jobs started within {per} ms, and {most} may")

    def knows_all(self) -> None:
        """Right after it asked, it knows of every job that it holds."""
        me = self.name.encode()
        for id, place in self.world.view.places.items():
            if isinstance(place, Lease) and place.worker == me and self.held.get(id) != int(place.number):
                raise Violation(f"{self.name} holds job {id!r} and does not know of it")

    def never_anothers(self, told: list[Ended], refused: list[bytes]) -> None:
        """What began before the state went back counts only under a lease that came back with it."""
        for move, epoch, _ in told:
            ours = Lease(self.name.encode(), b"%d" % move.lease)
            if (
                epoch < self.world.epoch
                and move.id not in refused
                and self.world.restored.get(move.id) != ours
            ):
                raise Violation(f"job {move.id!r} was settled by a run of before the state went back")

    def ask_what_is_held(self) -> Steps:
        self.number += 1
        _, *columns = yield self.world.store.hold(self.name, self.number).command
        ours = {row[0]: Held(*row) for row in sorted(zip(*columns, strict=True))}
        leases = {id: int(job.lease) for id, job in ours.items()}
        if self.flight is not None:
            self.forget(self.flight)
            again = [ended for ended in self.flight if leases.get(ended.move.id) == ended.move.lease]
            self.ended, self.flight = again + self.ended, None
            self.held.update({ended.move.id: ended.move.lease for ended in again})
        for attempt in list(self.running.values()):
            if leases.get(attempt.job.id) != int(attempt.job.lease):
                self.lose(attempt.job)
        gone = [job for job in self.buffer if leases.get(job.id) != int(job.lease)]
        self.buffer = [job for job in self.buffer if job not in gone]
        for job in gone:
            if self.held.get(job.id) == int(job.lease):
                del self.held[job.id]
        self.sure, self.parked = True, False
        for id, job in ours.items():
            if self.held.get(id) != leases[id]:
                self.take(job)
        self.knows_all()

    def note(self) -> Steps:
        """A running job tells how far it is, or logs a line; a refusal tells that the lease is lost."""
        job = self.world.random.choice(list(self.running.values())).job
        progress, line = self.world.random.choice(((b"1", ""), (b"", "a line")))
        call = self.world.store.note(self.name, job.id.decode(), int(job.lease), progress, line)
        if (yield call.command) == 0:
            self.lose(job)

    def take(self, job: Held) -> None:
        if job.record is None:
            raise Violation(f"job {job.id!r} was leased without a record")
        self.held[job.id] = int(job.lease)
        if self.quiet:
            self.give_back([job])
        else:
            self.buffer.append(job)

    def receive(self, letter: bytes) -> None:
        if letter[:1] == b"!":
            _, lease, id = letter.split(b" ")
            self.stop((id, int(lease)))
        elif letter:
            lease, id, record = letter.split(b" ", 2)
            self.take(Held(id, lease, record, None))

    def stop(self, job: tuple[bytes, int]) -> None:
        """A person cancelled it: it goes back, and the broker knows that it is cancelled."""
        attempt = self.running.pop(job, None)
        if attempt is not None:
            self.world.boards[self.name].discard(job)
            self.give_back([attempt.job])

    def forget(self, told: list[Ended]) -> None:
        for ended in told:
            # A turn may have leased it to us anew meanwhile.
            if self.held.get(ended.move.id) == ended.move.lease:
                del self.held[ended.move.id]

    def lose(self, job: Held) -> None:
        """Its lease is lost: what it does counts no more."""
        if self.held.get(job.id) == int(job.lease):
            del self.held[job.id]
        self.running.pop((job.id, int(job.lease)), None)
        self.world.boards[self.name].discard((job.id, int(job.lease)))

    # --- what runs -------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Begin what there is room for, and end some of what runs."""
        chance = self.world.random
        if chance.random() < 0.01 * (self.world.trouble > 0):
            self.quiet = True
        if self.buffer and (self.quiet or chance.random() < 0.05):
            self.give_back(self.buffer)
            self.buffer = []
        while self.buffer and len(self.running) < self.slots:
            self.begin(self.buffer.pop(0))
        for attempt in list(self.running.values()):
            if chance.random() < self.world.pace:
                del self.running[attempt.job.id, int(attempt.job.lease)]
                self.world.boards[self.name].discard((attempt.job.id, int(attempt.job.lease)))
                self.ended.append(self.verdict(attempt))

    def begin(self, job: Held) -> None:
        self.running[job.id, int(job.lease)] = Attempt(job, self.world.epoch)
        self.world.boards[self.name].add((job.id, int(job.lease)))
        if record_of(job).data["poison"]:
            self.world.doomed.append(self.name)

    def give_back(self, jobs: list[Held]) -> None:
        for job in reversed(jobs):
            way = way_back(runs_of(job), POLICY.max_crashes)
            move = Move(
                "unused" if way == "front" else way, job.id, int(job.lease), record_of(job).options.priority
            )
            self.ended.append(Ended(move, self.world.epoch))

    def verdict(self, attempt: Attempt) -> Ended:
        job, record, runs = attempt.job, record_of(attempt.job), runs_of(attempt.job)
        lease, level, key = int(job.lease), record.options.priority, record.options.key
        way = way_back(runs, POLICY.max_crashes)
        # It ran alone and the process lives: the crashes before were another's.
        spent = Runs(runs.attempts + 1, 0 if way == "alone" else runs.crashes)
        outcome = encode(Outcome(spent.attempts, None, self.world.time))
        fate = self.world.random.choice(("completed",) * 6 + ("fail", "fail", "release", "dead", "hold"))
        if fate == "completed":
            move = Move("completed", job.id, lease, outcome=outcome, key=key, keep=keep_of(job.id))
            return Ended(move, attempt.epoch, plain=True)
        if fate == "hold":
            return Ended(Move("hold", job.id, lease, level, 40), attempt.epoch)
        if fate == "release":
            return Ended(Move(way, job.id, lease, level), attempt.epoch)
        if fate == "dead" or spent.attempts >= ATTEMPTS:
            move = Move("dead", job.id, lease, 0, 0, encode(spent), outcome, key, keep_of(job.id))
            return Ended(move, attempt.epoch)
        delay = self.world.random.choice((0, 30))
        return Ended(
            Move("delayed" if delay else "back", job.id, lease, level, delay, encode(spent)), attempt.epoch
        )
