"""What tests put in, and its attempts: the worker's own code without a broker, a clock or other processes."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.clock import now_ms
from pipeline.errors import JobNotFound
from pipeline.job import (
    LOG_LINE_BYTES,
    NO_RUNS,
    SENT,
    Job,
    KeptError,
    Runs,
    State,
    decode_job,
    decode_runs,
    encode,
)
from pipeline.policy import QueuePolicy
from pipeline.store.reader import JobView, ShownError
from pipeline.store.store import Accepted, Move, NewJob
from pipeline.worker.attempt import Attempt, Buffered, Handlers, failure
from pipeline.worker.batches import Call
from pipeline.worker.ledger import Ledger
from pipeline.worker.slots import store_result

ENDED = ("completed", "dead", "cancelled")
Ended = Exception | None
Attempts = Generator[Attempt, Ended, None]
"""Attempts to be run, one after the other; what each raised is sent in."""


class TrialJob(Struct, eq=False, kw_only=True):
    """A job of a test. `delay` is how many ms it would have waited before its first attempt, `delays` before each
    further one; `exception` is what its last attempt raised. The rest is as in a job's `JobView`.
    """

    queue: str
    id: str
    name: str
    data: Any
    priority: int
    enqueued_at: int
    delay: int = 0
    state: State = "waiting"
    attempt: int = 0
    attempts: int = 1
    delays: list[int] = []
    result: Any = None
    error: ShownError | None = None
    errors: tuple[KeptError, ...] = ()
    exception: BaseException | None = None
    progress: Any = None
    logs: list[str] = []
    key: str = ""
    record: bytes = b""
    runs: Runs = NO_RUNS

    def view(self) -> JobView:
        """As a client shows it."""
        shared = set(JobView.__struct_fields__).intersection(self.__struct_fields__)
        return JobView(**{name: getattr(self, name) for name in shared})


class Project(Struct, frozen=True):
    """What a client goes by: the queues of its file, and where its handlers lie."""

    root: str
    queues: dict[str, QueuePolicy]


class Trial(Sequence[TrialJob]):
    """The jobs that a test put in, in their order."""

    def __init__(self, *, runs: bool) -> None:
        self._runs = runs
        self._jobs: list[TrialJob] = []
        self._by_id: dict[tuple[str, str], TrialJob] = {}
        self._keys: dict[tuple[str, str], tuple[TrialJob, float]] = {}
        self._numbers: Counter[str] = Counter()
        self._projects: dict[str, Project] = {}
        self._handlers: dict[tuple[str, str], Handlers] = {}
        self._paths: list[str] = []
        self._runner: asyncio.Runner | None = None
        self._lock = threading.RLock()

    # --- what a test looks at ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._jobs)

    def __getitem__(self, at: Any) -> Any:
        return self._jobs[at]

    def __iter__(self) -> Iterator[TrialJob]:
        return iter(list(self._jobs))

    def of(self, queue: str, name: str | None = None) -> list[TrialJob]:
        """The jobs of a queue, or of one job name of it."""
        return [job for job in self._jobs if job.queue == queue and name in (None, job.name)]

    @property
    def dead(self) -> list[TrialJob]:
        """The jobs that died."""
        return [job for job in self._jobs if job.state == "dead"]

    def find(self, queue: str, id: str) -> TrialJob:
        """One job. Raises JobNotFound."""
        try:
            return self._by_id[queue, id]
        except KeyError:
            raise JobNotFound(f"no job {id!r} was put into queue {queue!r}") from None

    def run(self) -> None:
        """Run what has not ended, and what that puts in: in code without a loop. Delays are not waited for; one that
        raised RetryLater runs once more.
        """
        for job in self._waiting():
            self._run(job)

    async def run_async(self) -> None:
        """As `run`, in a coroutine."""
        for job in self._waiting():
            await self._run_async(job)

    def _waiting(self) -> Iterator[TrialJob]:
        # What a handler puts in comes to the end of the list, and its turn comes too.
        return (job for job in self._jobs if job.state not in ENDED)

    # --- what clients ask ----------------------------------------------------------------------------------

    def knows(self, project: Project, queue: str) -> None:
        """A client is about to put jobs into this queue."""
        self._projects[queue] = project

    def accept(self, queue: str, jobs: Sequence[NewJob]) -> list[Accepted]:
        """Take jobs from code without a loop, and run them, if that is wanted."""
        accepted, new = self._take(queue, jobs)
        for job in new if self._runs else ():
            self._run(job)
        return accepted

    async def accept_async(self, queue: str, jobs: Sequence[NewJob]) -> list[Accepted]:
        """Take jobs from a coroutine, and run them, if that is wanted."""
        accepted, new = self._take(queue, jobs)
        for job in new if self._runs else ():
            await self._run_async(job)
        return accepted

    def cancel(self, queue: str, id: str) -> str:
        """Withdraw a job that has not ended: the state that it was in. Raises JobNotFound."""
        job = self.find(queue, id)
        before = job.state
        if before not in ENDED:
            job.state = "cancelled"
        return before

    def close(self) -> None:
        """The test is over."""
        if self._runner is not None:
            self._runner.close()
        for path in self._paths:
            sys.path.remove(path)

    # --- taking ----------------------------------------------------------------------------------------------

    def _take(self, queue: str, jobs: Sequence[NewJob]) -> tuple[list[Accepted], list[TrialJob]]:
        accepted, new = [], []
        with self._lock:
            for job in jobs:
                stands, status = self._standing(queue, job)
                if stands is None:
                    stands = self._add(queue, job)
                    new.append(stands)
                elif status == "replaced":
                    self._fill(stands, job)
                accepted.append(Accepted(stands.id, status))
        return accepted, new

    def _standing(self, queue: str, job: NewJob) -> tuple[TrialJob | None, Any]:
        """The job that stands in the way of this one, as enqueue_each.lua has it."""
        if job.id and (stands := self._by_id.get((queue, job.id))):
            return stands, "duplicate"
        holder, until = self._keys.get((queue, job.key), (None, 0.0))
        if holder is None or not job.key:
            return None, "created"
        if job.mode in ("debounce", "keep_last"):
            untouched = holder.state not in ENDED and holder.runs == NO_RUNS
            return (holder, "replaced") if untouched else (None, "created")
        taken = holder.state not in ENDED if not until else time.monotonic() < until
        return (holder, "duplicate") if taken else (None, "created")

    def _add(self, queue: str, new: NewJob) -> TrialJob:
        self._numbers[queue] += not new.id
        id = new.id or str(self._numbers[queue])
        job = TrialJob(queue=queue, id=id, name="", data=None, priority=0, enqueued_at=0)
        self._fill(job, new)
        self._jobs.append(job)
        self._by_id[queue, id] = job
        return job

    def _fill(self, job: TrialJob, new: NewJob) -> None:
        record = decode_job(new.record)
        job.name, job.data, job.enqueued_at = record.name, record.data, record.enqueued_at
        job.priority, job.key, job.record = record.options.priority, new.key, new.record
        job.delay = _delay(new.due)
        job.state = "delayed" if job.delay else "waiting"
        policy = self._projects[job.queue].queues[job.queue].job(job.name)
        job.attempts = record.options.attempts or (policy.retry.attempts if policy else 1)
        if new.key:
            window = 0.0 if new.window == "" else time.monotonic() + int(new.window) / 1000
            self._keys[job.queue, new.key] = (job, window)

    # --- running -----------------------------------------------------------------------------------------------

    def _run(self, job: TrialJob) -> None:
        attempts = self._attempts(job)
        attempt = next(attempts, None)
        while attempt is not None:
            attempt = _send(attempts, self._call(attempt))

    async def _run_async(self, job: TrialJob) -> None:
        attempts = self._attempts(job)
        attempt = next(attempts, None)
        while attempt is not None:
            attempt = _send(attempts, await _called(attempt))

    def _call(self, attempt: Attempt) -> Ended:
        if not attempt.handler.is_async:
            return _called_plainly(attempt)
        if not _in_a_loop():
            # One loop for all of them: what one handler opened the next may use.
            self._runner = self._runner or asyncio.Runner()
            return self._runner.run(_called(attempt))
        found: list[Ended] = []
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=lambda: found.append(context.run(asyncio.run, _called(attempt))), daemon=True
        )
        thread.start()
        thread.join()
        return found[0]

    def _attempts(self, job: TrialJob) -> Attempts:
        """Every attempt at a job until it ended, or comes back later at no cost."""
        handlers, ledger = self._handlers_of(job.queue)
        again = job.state not in ENDED
        while again:
            runs = encode(job.runs) if job.runs != NO_RUNS else None
            attempt = handlers.begin(
                Buffered(job.id.encode(), 0, job.record, runs), time.monotonic(), ledger.offset
            )
            job.attempt = attempt.job.attempt
            if not isinstance(attempt, Attempt):
                self._failed(job, ledger.fail(attempt, attempt.failure))
                return
            job.state, job.attempts, attempt.job.note = "active", attempt.job.attempts, self._noted
            # In a test a batch has one job.
            call = Call(0, {0: attempt}) if ledger.policy.batch is not None else None
            error = yield call.leader if call is not None else attempt
            job.exception = error or (call.errors[0] if call is not None else None)
            attempt.ended = time.monotonic()
            if job.exception is None:
                ledger.complete(attempt)
                job.result = msgspec.json.decode(attempt.result) if attempt.result else None
                job.state, again = "completed", False
            else:
                again = self._failed(job, ledger.fail(attempt, failure(job.exception)))

    def _failed(self, job: TrialJob, move: Move) -> bool:
        """Put down what follows from a failure: whether another attempt follows by itself."""
        spent, job.runs = job.runs.attempts, decode_runs(move.runs)
        last = job.runs.errors[-1]
        job.error, job.errors = ShownError(last.type, last.message, last.traceback), job.runs.errors
        if move.move in ("dead", "cancelled"):
            job.state = "dead" if move.move == "dead" else "cancelled"
            return False
        job.delays.append(move.delay)
        job.state = "delayed" if move.delay else "waiting"
        return job.runs.attempts > spent

    def _handlers_of(self, queue: str) -> tuple[Handlers, Ledger]:
        project = self._projects[queue]
        if project.root and project.root not in sys.path:
            sys.path.insert(0, project.root)
            self._paths.append(project.root)
        policy, key = project.queues[queue], (project.root, queue)
        if key not in self._handlers:
            self._handlers[key] = Handlers(policy)
        ledger = Ledger(policy)
        ledger.offset = now_ms() - time.monotonic() * 1000
        return self._handlers[key], ledger

    def _noted(self, job: Job[Any], kind: str, value: Any) -> Any:
        mine = self.find(job.queue, job.id)
        if kind == "progress":
            mine.progress = msgspec.json.decode(encode(value))
        else:
            mine.logs.append(str(value)[:LOG_LINE_BYTES])
        return SENT


def _delay(due: str) -> int:
    if due in ("", "front"):
        return 0
    return int(due[1:]) if due[0] == "+" else max(int(due) - now_ms(), 0)


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _send(attempts: Attempts, error: Ended) -> Attempt | None:
    try:
        return attempts.send(error)
    except StopIteration:
        return None


def _called_plainly(attempt: Attempt) -> Ended:
    try:
        value = attempt.handler.call(attempt.job)
        store_result(attempt, value)
    except Exception as error:  # noqa: BLE001 - it belongs to the handler; what ends a test goes through
        return error
    return None


async def _called(attempt: Attempt) -> Ended:
    if not attempt.handler.is_async:
        return await asyncio.to_thread(_called_plainly, attempt)
    try:
        store_result(attempt, await attempt.handler.call(attempt.job))
    except Exception as error:  # noqa: BLE001 - as above
        return error
    return None
