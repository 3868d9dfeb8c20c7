"""The producer for coroutines, which share one pipelining connection. Otherwise as `Client`, in client.py."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from msgspec import Struct

from pipeline.async_line import AsyncLine
from pipeline.changes import UNCHANGED, Change, Place, Steps, copying, promoting, retrying, updating
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
from pipeline.producer import (
    CHUNK,
    Batch,
    Duration,
    Marked,
    Plain,
    Wanted,
    batch_of,
    record,
)
from pipeline.store.bulk import cancelling
from pipeline.store.call import Call, StalePolicy
from pipeline.store.reader import JobView, Reader, server_time
from pipeline.store.store import Accepted, Mark, Store
from pipeline.store.wire import Reply
from pipeline.ways import Sure, Way, walk_async

Result = TypeVar("Result")


class Together(Struct, frozen=True):
    """Jobs that leave in one call, and who waits for their answers."""

    known: Known
    jobs: list[Any]
    futures: list[asyncio.Future[Accepted]]


class AsyncClient:
    """Puts jobs in from coroutines, which share one pipelining connection. As `Client` otherwise."""

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
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._pid = 0
        self._travelling: set[asyncio.Task[None]] = set()
        self._line = AsyncLine(self._address, self._timeout)

    def _settle_in(self) -> None:
        """One client may serve one loop after another, also in a forked child: each is a producer of its own."""
        loop, pid = asyncio.get_running_loop(), os.getpid()
        if self._loop is loop and self._pid == pid:
            return
        self._loop, self._pid = loop, pid
        self._token = secrets.token_hex(4)
        self._free: list[int] = []
        self._numbers: list[int] = []
        # What leaves in this tick, by queue: records of jobs that are alike, and jobs of other kinds.
        self._plain: dict[str, Together] = {}
        self._each: dict[str, Together] = {}
        self._marked: dict[str, Together] = {}
        self._line = AsyncLine(self._address, self._timeout)

    async def enqueue(
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
        """Put one job in; see Client.enqueue. Those of one tick of the loop travel together."""
        self._settle_in()
        known = self._policies.get(queue) or await self._learn(queue)
        plain = None
        own = (id, delay, at, priority, attempts, backoff, timeout, expires, front, deduplication)
        if own == NOTHING_OF_ITS_OWN and self._sender is None:
            plain = record(known.policy, known.server_ms(), job, data)
            if plain is not None:
                try:
                    return await self._along(queue, known, plain[1], self._plain)
                except StalePolicy:
                    known = await self._learn(queue)
        return await self.put(queue, Wanted(job, data, *own))

    async def put(self, queue: str, wanted: Wanted, mark: Mark | None = None) -> Accepted:
        """One job as a whole, with the others of this tick. With a mark of its content, and an id, it is a duplicate of
        one that brought the same mark, too. Errors as those of `enqueue`."""
        self._settle_in()
        if self._sender is None:
            return await self._put_one(queue, wanted, mark)
        with self._sender.sending(queue, [wanted.name]) as sending:
            accepted = await self._put_one(queue, traced(wanted, sending.carrier), mark)
            sending.sent([accepted])
            return accepted

    async def _put_one(self, queue: str, wanted: Wanted, mark: Mark | None) -> Accepted:
        known = self._policies.get(queue) or await self._learn(queue)
        while True:
            new = self._policies.new_job(queue, known, wanted)
            try:
                if mark is None:
                    return await self._along(queue, known, new, self._each)
                return await self._along(queue, known, (new, mark), self._marked)
            except StalePolicy:
                known = await self._learn(queue)

    async def enqueue_many(self, queue: str, jobs: Iterable[tuple[str, Any] | Wanted]) -> list[Accepted]:
        """Put many in; see Client.enqueue_many."""
        self._settle_in()
        return await self._enqueue(queue, list(jobs))

    async def job(self, queue: str, id: str) -> JobView:
        """What is kept of a job. Raises JobNotFound."""
        self._settle_in()
        return found(
            queue,
            id,
            await self._line.run(Reader(self._project, queue).show([id], self._policies.policy(queue))),
        )

    async def wait(self, queue: str, id: str, timeout: Duration = "30s") -> JobView:
        """The job once it has ended; see Client.wait."""
        for pause in looks(queue, id, timeout):
            job = await self.job(queue, id)
            if job.state in ENDED:
                return job
            await asyncio.sleep(pause)
        raise AssertionError("looks end with an error")

    async def cancel(self, queue: str, id: str) -> str:
        """Withdraw a job, or have it stopped when it runs; see Client.cancel."""
        job = await self.job(queue, id)
        at = await self._line.run(server_time())
        call = cancelling(self._store(queue), job, self._policies.policy(queue), at)
        return await self._line.run(call) or job.state

    async def update(
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
        """Change a job that does not run; see Client.update."""
        self._settle_in()
        policy = (await self._learn(queue)).policy
        change = Change(data, priority, delay, at, front)
        return await self._go(updating(self._place(queue), id, change, policy))

    async def promote(self, queue: str, id: str) -> str:
        """A delayed job is due now; see Client.promote."""
        return await self._go(promoting(self._place(queue), id))

    async def retry(self, queue: str, id: str) -> str:
        """A dead or cancelled job waits again; see Client.retry."""
        return await self._go(retrying(self._place(queue), id))

    async def duplicate(self, queue: str, id: str, *, new_id: str | None = None) -> Accepted:
        """Put in a job like this one; see Client.duplicate."""
        wanted = await self._go(copying(self._place(queue), id, new_id))
        return (await self._enqueue(queue, [wanted]))[0]

    async def start_flow(self, name: str, data: Any = None, *, id: str | None = None) -> StartedFlow:
        """Begin a flow of the file; see Client.start_flow."""
        return await self._walk(self._flows.start(name, data, id, secrets.token_hex(6)))

    async def flow(self, id: str) -> FlowView:
        """What is kept of a flow; see Client.flow."""
        return await self._walk(self._flows.show(id))

    async def cancel_flow(self, id: str) -> str:
        """Stop a flow; see Client.cancel_flow."""
        return await self._walk(self._flows.cancel(id, secrets.token_hex(6)))

    async def retry_flow(self, id: str) -> None:
        """Resume a flow; see Client.retry_flow."""
        await self._walk(self._flows.retry(id, secrets.token_hex(6)))

    async def close(self) -> None:
        """Hang up."""
        self._line.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _walk(self, way: Way[Result]) -> Result:
        self._settle_in()
        return await walk_async(way, self._step)

    async def _step(self, step: Call[Any] | Sure) -> Any:
        call, confirm = step if isinstance(step, Sure) else (step, None)
        return await self._line.run(call, confirm)

    async def _enqueue(self, queue: str, jobs: Sequence[tuple[str, Any] | Wanted]) -> list[Accepted]:
        if not jobs:
            return []
        if self._sender is None:
            return await self._put(queue, jobs)
        with self._sender.sending(queue, [job[0] for job in jobs]) as sending:
            answers = await self._put(queue, [traced(job, sending.carrier) for job in jobs])
            sending.sent(answers)
            return answers

    async def _put(self, queue: str, jobs: Sequence[tuple[str, Any] | Wanted]) -> list[Accepted]:
        known = self._policies.get(queue) or await self._learn(queue)
        answers: list[Accepted] = []
        rest = self._policies.batches(queue, known, jobs)
        while rest:
            try:
                answers += await self._send(queue, known, rest[0])
                rest = rest[1:]
            except StalePolicy:
                known = await self._learn(queue)
                rest = self._policies.batches(queue, known, jobs[len(answers) :])
        return answers

    def _along(
        self, queue: str, known: Known, job: Any, leaving: dict[str, Together]
    ) -> asyncio.Future[Accepted]:
        """Send a job with the others of this tick; the future is its answer."""
        together = leaving.get(queue)
        if together is None or together.known is not known or len(together.jobs) >= CHUNK:
            together = leaving[queue] = Together(known, [], [])
            self._loop.call_soon(self._depart, queue, together, leaving)
        future: asyncio.Future[Accepted] = self._loop.create_future()
        together.jobs.append(job)
        together.futures.append(future)
        return future

    def _depart(self, queue: str, together: Together, leaving: dict[str, Together]) -> None:
        if leaving.get(queue) is together:
            del leaving[queue]
        batch = self._batch(together.jobs, leaving)
        lane, call = self._prepare(queue, together.known, batch)
        # At once, if that can be: a task would begin ticks later, while everybody waits.
        posted = self._line.post_now(call.command, together.known.confirm)
        task = self._loop.create_task(self._travel(together, call, posted, lane))
        self._travelling.add(task)
        task.add_done_callback(self._travelling.discard)

    def _batch(self, jobs: list[Any], leaving: dict[str, Together]) -> Batch:
        if leaving is self._plain:
            return Plain(0, jobs)
        if leaving is self._marked:
            return Marked([job for job, _ in jobs], [mark for _, mark in jobs])
        return batch_of(jobs)

    async def _travel(
        self, together: Together, call: Call[list[Accepted]], posted: asyncio.Future[Reply] | None, lane: int
    ) -> None:
        try:
            accepted = await self._line.run(call, together.known.confirm, posted)
        except Exception as error:  # noqa: BLE001 - each caller is told
            for future in together.futures:
                if not future.done():
                    future.set_exception(error)
            return
        finally:
            self._free.append(lane)
        for future, given in zip(together.futures, accepted, strict=True):
            if not future.done():
                future.set_result(given)

    async def _send(self, queue: str, known: Known, batch: Batch) -> list[Accepted]:
        lane, call = self._prepare(queue, known, batch)
        try:
            return await self._line.run(call, known.confirm)
        finally:
            self._free.append(lane)

    def _prepare(self, queue: str, known: Known, batch: Batch) -> tuple[int, Call[list[Accepted]]]:
        """A lane has one call under way at most: the broker remembers the last call of each."""
        if self._free:
            lane = self._free.pop()
        else:
            lane = len(self._numbers)
            self._numbers.append(0)
        self._numbers[lane] += 1
        call = batch.call(self._store(queue), f"{self._token}/{lane}", self._numbers[lane], known.generation)
        return lane, call

    def _store(self, queue: str) -> Store:
        return self._stores.get(queue) or self._stores.setdefault(queue, Store(self._project, queue))

    def _place(self, queue: str) -> Place:
        return Place(Reader(self._project, queue), self._store(queue))

    async def _go(self, steps: Steps[Result]) -> Result:
        self._settle_in()
        answer = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = await self._line.run(call)

    async def _learn(self, queue: str) -> Known:
        return self._policies.learn(queue, await self._line.run(self._store(queue).policy()))
