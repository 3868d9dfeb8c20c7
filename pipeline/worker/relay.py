"""Jobs that are steps of a flow: the flow hears how they ended, and what that makes ready is made, before they are settled.

Whatever dies in between, the job runs again and says the same again. Imported by a worker with its first job of a flow.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from pipeline.errors import BrokerError, BrokerUnavailable, PipelineError
from pipeline.flow import Member
from pipeline.flowread import CHUNK, failures, needs
from pipeline.flows import ByStep, Flows, told_error
from pipeline.job import Job, decode_runs
from pipeline.policies import Policies
from pipeline.store.call import Call, run
from pipeline.store.flows import Answer, ended_error
from pipeline.store.store import Move
from pipeline.ways import Sure, Way, walk_async
from pipeline.worker.attempt import Attempt, Refused
from pipeline.worker.ledger import Ledger
from pipeline.worker.link import Link

PAUSE = 0.1
log = logging.getLogger("pipeline.worker")


Ending = tuple[Move | None, Attempt | Refused]
"""A job that ended, and the move that follows; without one it completed."""


class Kicked(Protocol):
    """What is asked of the pool."""

    def kick(self) -> None:
        """Take a turn soon."""


class Relay:
    """The ends of flows' jobs on their way into the ledger. `pool` takes a turn when some are there."""

    def __init__(self, project: str, link: Link, ledger: Ledger, pool: Kicked) -> None:
        self._project = project
        self._link = link
        self._ledger = ledger
        self._pool = pool
        self._flows = Flows(project, Policies(None))
        self._waiting: dict[str, deque[Ending]] = {}
        self._under_way: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self.count = 0

    def take(self, move: Move | None, attempt: Attempt | Refused) -> None:
        """A job of a flow has ended, or is given back because it was cancelled."""
        flow = attempt.job.options.flow
        self._waiting.setdefault(flow, deque()).append((move, attempt))
        self.count += 1
        if flow not in self._under_way:
            # Those that end in this tick of the loop travel together.
            self._under_way.add(flow)
            task = self._loop.create_task(self._tell(flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, flow: str) -> None:
        while waiting := self._waiting.pop(flow, None):
            while waiting:
                batch = [waiting.popleft() for _ in range(min(CHUNK, len(waiting)))]
                await self._tell_batch(flow, ends_of(flow, batch))
                for move, attempt in batch:
                    self._ledger.settle(move, attempt)
                self.count -= len(batch)
                self._pool.kick()
        self._under_way.discard(flow)

    async def _tell_batch(self, flow: str, told: ByStep) -> None:
        by = secrets.token_hex(6)
        answers = await self._insist(flow, lambda: self._flows.say(flow, by, told))
        if not any(answer.claims for answer in answers):
            return
        try:
            await self._walk(self._flows.make(flow, by, answers))
        except PipelineError as error:
            # The flow knows what is to be made; a supervisor looks after it.
            log.warning("flow %s: %s", flow, error)
        except Exception:
            log.exception("flow %s: what comes next could not be made", flow)

    async def _insist(self, flow: str, way: Callable[[], Way[list[Answer]]]) -> list[Answer]:
        """Until the broker has heard it: a job is not settled before. Said again it does no harm."""
        trouble = ""
        while True:
            try:
                return await self._walk(way())  # type: ignore[no-any-return]
            except BrokerError as error:
                if error.message != trouble:
                    trouble = error.message
                    log.warning("flow %s: %s", flow, error)
                await asyncio.sleep(PAUSE)

    async def ask(self, job: Job[Any], kind: str) -> Any:
        """What Job.needs and Job.failures say."""
        flow = job.options.flow
        if kind == "needs":
            return await self._walk(needs(self._flows.store(flow), Member.of_job(flow, job.id)))
        return [
            {"step": one.step, "type": one.type, "message": one.message}
            for one in await self._walk(failures(self._flows.store(flow), flow))
        ]

    async def _walk(self, way: Way[Any]) -> Any:
        return await walk_async(way, self._step)

    async def _step(self, step: Call[Any] | Sure) -> Any:
        if self._link.turns is None:
            raise BrokerUnavailable("the broker is away")
        # A worker settles nothing that is not in the broker's memory; durability is a promise to producers.
        return await run(self._link.turns, step.call if isinstance(step, Sure) else step)


def ends_of(flow: str, batch: list[Ending]) -> ByStep:
    """What is said of these jobs. Most completed, of one step: that is the way that must be short."""
    told: ByStep = {}
    begins = len(flow) + 1
    for move, attempt in batch:
        field, _, round = attempt.job.id[begins:].partition(":r")
        ends = told.setdefault((field.partition(":")[0], int(round or 1)), [])
        ends.append(field)
        if move is None and isinstance(attempt, Attempt):
            ends.append(b"c" + attempt.result)
        else:
            ends.append(_failure(Member.of_job(flow, attempt.job.id), move))
    return told


def _failure(member: Member, move: Move | None) -> bytes:
    if move is not None and move.runs:
        # Dead, or not begun before it expired.
        return b"f" + told_error(member, decode_runs(move.runs).errors[-1])
    return b"x" + ended_error("Cancelled", "the job was cancelled", member)
