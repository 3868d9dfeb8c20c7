"""A producer for code without a loop: puts jobs in from any program. async_client.py has the other.

What counts is the policy that runs, published in the broker; before any supervisor ran, the file. A call that
lost its answer is repeated within its time limit, with its number, so it never makes a second job.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pipeline.changes import UNCHANGED, Change, Place, Steps, copying, promoting, retrying, updating
from pipeline.errors import BrokerUnavailable, Unconfirmed
from pipeline.flows import Flows, StartedFlow
from pipeline.flowview import FlowView
from pipeline.followup import ENDED, looks
from pipeline.plan import Plan
from pipeline.policies import (
    NOTHING_OF_ITS_OWN,
    Known,
    Policies,
    found,
    locate,
    sender,
    time_limit,
    traced,
)
from pipeline.policy import Backoff, Deduplication
from pipeline.producer import FIRST_PAUSE, LONGEST_PAUSE, Batch, Duration, Wanted, record
from pipeline.store.blocking import BlockingConnection
from pipeline.store.bulk import cancelling
from pipeline.store.call import Call, StalePolicy, run_blocking
from pipeline.store.confirm import Confirm, run_confirmed
from pipeline.store.connect import connect_blocking
from pipeline.store.reader import JobView, Reader, server_time
from pipeline.store.store import Accepted, Store
from pipeline.ways import Sure, Way, walk

Result = TypeVar("Result")


class Line:
    """A connection of a Client, with the number of its last call."""

    def __init__(self) -> None:
        self.producer = secrets.token_hex(4)
        self.number = 0
        self.connection: BlockingConnection | None = None

    def hang_up(self) -> None:
        """The next call opens a new connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Client:
    """Puts jobs in from code without a loop. Safe to share between threads, and after a fork.

    `target` is a config file or its plan, or a broker's URL together with `name`. `timeout`: seconds after which a call
    gives up with BrokerUnavailable, 50 at most.
    """

    def __init__(
        self,
        target: str | Path | Plan,
        name: str | None = None,
        timeout: float = 5.0,
        *,
        profile: str | None = None,
    ) -> None:
        self._project, self._address, plan = locate(target, name, profile)
        self._policies = Policies(plan)
        self._sender = sender(self._address)
        self._flows = Flows(self._project, self._policies)
        self._stores: dict[str, Store] = {}
        self._timeout = time_limit(timeout)
        self._lines: list[Line] = []
        self._pid = os.getpid()

    def enqueue(
        self,
        queue: str,
        job: str,
        data: Any = None,
        *,
        id: str | None = None,
        delay: Duration | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        attempts: int | None = None,
        backoff: Backoff | None = None,
        timeout: Duration | None = None,
        expires: Duration | None = None,
        front: bool = False,
        deduplication: Deduplication | None = None,
    ) -> Accepted:
        """Put one job in: its id and `created`, or the id that stands and `duplicate` or `replaced`.

        `expires`: it is cancelled if it has not begun so long after it could; `front`: it goes before those that wait;
        `deduplication`: its own rule, whose key is taken as it stands.

        Raises EnqueueError when it is refused, BrokerUnavailable when the broker is away.
        """
        own = (id, delay, at, priority, attempts, backoff, timeout, expires, front, deduplication)
        if own == NOTHING_OF_ITS_OWN and self._sender is None:
            known = self._policies.get(queue)
            plain = record(known.policy, known.server_ms(), job, data) if known else None
            if known and plain:
                try:
                    return self._send_one(queue, known, *plain)
                except StalePolicy:
                    self._learn(queue)
        wanted = Wanted(job, data, *own)
        return self._enqueue(queue, [wanted])[0]

    def enqueue_many(self, queue: str, jobs: Iterable[tuple[str, Any] | Wanted]) -> list[Accepted]:
        """Put many in. All are checked before any is sent; they are stored in chunks of 1,000, each atomic."""
        return self._enqueue(queue, list(jobs))

    def job(self, queue: str, id: str) -> JobView:
        """What is kept of a job. Raises JobNotFound."""
        return found(
            queue, id, self._call(Reader(self._project, queue).show([id], self._policies.policy(queue)))
        )

    def wait(self, queue: str, id: str, timeout: Duration = "30s") -> JobView:
        """The job once it has ended: completed, dead or cancelled, with its result or error.

        Raises TimeoutError when it has not by then, JobNotFound when it is not kept (see `retention`).
        """
        for pause in looks(queue, id, timeout):
            job = self.job(queue, id)
            if job.state in ENDED:
                return job
            time.sleep(pause)
        raise AssertionError("looks end with an error")

    def cancel(self, queue: str, id: str) -> str:
        """Withdraw a job, or have it stopped when it runs: the state it was in. One that had ended stays as it is.

        Raises JobNotFound.
        """
        job = self.job(queue, id)
        at = self._call(server_time())
        call = cancelling(self._store(queue), job, self._policies.policy(queue), at)
        return self._call(call) or job.state

    def update(
        self,
        queue: str,
        id: str,
        *,
        data: Any = UNCHANGED,
        priority: int | None = None,
        delay: Duration | None = None,
        at: datetime | None = None,
        front: bool = False,
    ) -> str:
        """Change a job that does not run: its payload, its priority, when it runs; the state it is in then.

        One that waits goes to the end of its new priority, or with `front` before those that wait. A dead or cancelled
        job takes a payload and a priority for when it is retried. A deduplication key stays as it was, and so does the
        lane, whatever the payload says: inside its lane a job keeps its place among those of its priority.
        Raises EnqueueError as enqueue does, JobNotFound, or WrongState (it runs, or is completed).
        """
        change = Change(data, priority, delay, at, front)
        return self._go(updating(self._place(queue), id, change, self._learn(queue).policy))

    def promote(self, queue: str, id: str) -> str:
        """A delayed job is due now: the state it was in. One that is not delayed stays as it is.

        Raises JobNotFound.
        """
        return self._go(promoting(self._place(queue), id))

    def retry(self, queue: str, id: str) -> str:
        """A dead or cancelled job waits again, from attempt 1: the state it was in. Any other stays as it is, and so
        does one whose deduplication key another holds: `duplicate of 18`.

        Raises JobNotFound.
        """
        return self._go(retrying(self._place(queue), id))

    def duplicate(self, queue: str, id: str, *, new_id: str | None = None) -> Accepted:
        """Put in a job like this one, due now, as `enqueue` does: deduplication counts.

        Raises JobNotFound, and what enqueue raises.
        """
        return self._enqueue(queue, [self._go(copying(self._place(queue), id, new_id))])[0]

    def start_flow(self, name: str, data: Any = None, *, id: str | None = None) -> StartedFlow:
        """Begin a flow of the file: its id, and `created`, or `duplicate` when one of that id is kept. `id` stands behind
        the name: "order-17" of `checkout` is `checkout:order-17`.

        Raises EnqueueError when it is refused; nothing is stored then.
        """
        return self._walk(self._flows.start(name, data, id, secrets.token_hex(6)))

    def flow(self, id: str) -> FlowView:
        """What is kept of a flow, and of each of its steps. Raises FlowNotFound."""
        return self._walk(self._flows.show(id))

    def cancel_flow(self, id: str) -> str:
        """Stop a flow, and cancel its jobs: the state it was in. Raises FlowNotFound, WrongState."""
        return self._walk(self._flows.cancel(id, secrets.token_hex(6)))

    def retry_flow(self, id: str) -> None:
        """Resume a flow that failed or was cancelled: what was done stays done. Raises FlowNotFound, WrongState."""
        self._walk(self._flows.retry(id, secrets.token_hex(6)))

    def close(self) -> None:
        """Hang up."""
        lines, self._lines = self._lines, []
        for line in lines:
            line.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _walk(self, way: Way[Result]) -> Result:
        return walk(way, self._step)

    def _step(self, step: Call[Any] | Sure) -> Any:
        call, confirm = step if isinstance(step, Sure) else (step, None)
        line = self._take_line()
        try:
            return self._run(line, call, confirm)
        finally:
            self._lines.append(line)

    def _enqueue(self, queue: str, jobs: Sequence[tuple[str, Any] | Wanted]) -> list[Accepted]:
        if not jobs:
            return []
        if self._sender is None:
            return self._put(queue, jobs)
        with self._sender.sending(queue, [job[0] for job in jobs]) as sending:
            answers = self._put(queue, [traced(job, sending.carrier) for job in jobs])
            sending.sent(answers)
            return answers

    def _put(self, queue: str, jobs: Sequence[tuple[str, Any] | Wanted]) -> list[Accepted]:
        known = self._policies.get(queue) or self._learn(queue)
        answers: list[Accepted] = []
        rest = self._policies.batches(queue, known, jobs)
        while rest:
            try:
                answers += self._send(queue, known, rest[0])
                rest = rest[1:]
            except StalePolicy:
                # A newer policy runs: what is not sent yet is checked again, under that one.
                known = self._learn(queue)
                rest = self._policies.batches(queue, known, jobs[len(answers) :])
        return answers

    def _send_one(self, queue: str, known: Known, level: int, written: bytes) -> Accepted:
        line = self._take_line()
        line.number += 1
        call = self._store(queue).enqueue(line.producer, line.number, known.generation, level, [written])
        try:
            return Accepted(str(self._run(line, call, known.confirm)), "created")
        finally:
            self._lines.append(line)

    def _send(self, queue: str, known: Known, batch: Batch) -> list[Accepted]:
        line = self._take_line()
        line.number += 1
        call = batch.call(self._store(queue), line.producer, line.number, known.generation)
        try:
            return self._run(line, call, known.confirm)
        finally:
            self._lines.append(line)

    def _store(self, queue: str) -> Store:
        return self._stores.get(queue) or self._stores.setdefault(queue, Store(self._project, queue))

    def _learn(self, queue: str) -> Known:
        return self._policies.learn(queue, self._call(self._store(queue).policy()))

    def _place(self, queue: str) -> Place:
        return Place(Reader(self._project, queue), self._store(queue))

    def _go(self, steps: Steps[Result]) -> Result:
        answer = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = self._call(call)

    def _call(self, call: Call[Result]) -> Result:
        line = self._take_line()
        try:
            return self._run(line, call)
        finally:
            self._lines.append(line)

    def _run(self, line: Line, call: Call[Result], confirm: Confirm | None = None) -> Result:
        """Run a call that may be repeated; open a connection where there is none."""
        end, pause = time.monotonic() + self._timeout, FIRST_PAUSE
        trouble: BrokerUnavailable | None = None
        while True:
            try:
                if line.connection is None:
                    left = max(end - time.monotonic(), 0.001)
                    line.connection = connect_blocking(self._address, left)
                if confirm is None:
                    result = run_blocking(line.connection, call)
                else:
                    result = run_confirmed(line.connection, call, confirm, end - time.monotonic())
            except BrokerUnavailable as error:
                line.hang_up()
                # The last try may have no time left for an answer: what an earlier one was told says more.
                trouble = trouble if isinstance(trouble, Unconfirmed) else error
                if time.monotonic() + pause > end:
                    raise trouble from None
                time.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                if pause > FIRST_PAUSE:
                    # Opened in a hurry, it has less patience than the next call may have.
                    line.hang_up()
                return result

    def _take_line(self) -> Line:
        # Threads share the list without a lock: one that was held during a fork would hang the child.
        if self._pid != os.getpid():
            # A forked child must not speak on its parent's connections.
            self._pid, self._lines = os.getpid(), []
        try:
            return self._lines.pop()
        except IndexError:
            return Line()
