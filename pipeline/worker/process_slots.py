"""Room for running jobs in processes of their own: for work that keeps a processor busy, and what may crash.

Each slot has one process, started before its first job and used for many. It can be killed, so a time limit, a cancel
and a release hold whatever the handler does, and a handler that takes its process along takes nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import Any, Protocol

import msgspec

from pipeline.errors import JobCancelled, LeaseLost
from pipeline.exits import Exit, kill_group
from pipeline.plan import WorkerPlan
from pipeline.policy import QueuePolicy
from pipeline.worker.attempt import Attempt, Buffered, Died, Told
from pipeline.worker.frames import (
    Begun,
    Change,
    Ended,
    Failed,
    Frames,
    Note,
    NotLoaded,
    Ready,
    Run,
    Soft,
    Start,
)
from pipeline.worker.slots import Desk, unused

LAST_WORDS_SECONDS = 1.0
PAUSE_SECONDS = 1.0
"""Before another start, when a process died that had nothing to do."""


class ProcessDesk(Desk, Protocol):
    """What these slots need of the pool, beside what all slots need."""

    @property
    def offset(self) -> float:
        """What turns our ms into the server's."""

    def cannot_start(self, reason: str) -> None:
        """No more processes can be started here."""


class Process:
    """The process of a slot. `loaded` is done when it has loaded the handlers, and fails with NotLoaded or Died;
    `gone` is done when it has ended."""

    def __init__(self, start: Start) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Ended] | None = None
        self._attempt: Attempt | None = None
        self.loaded: asyncio.Future[None] = self._loop.create_future()
        self.gone: asyncio.Future[int] = self._loop.create_future()
        self.gone.add_done_callback(self._fall)
        self.doomed = False
        """It has ended, or is about to."""
        self._frames = Frames(self._heard, self._hung_up, up=True)
        self._silent = self._fell = self._unbegun = False
        self._begun, self._sent = Begun.create(), 0
        ours, theirs = socket.socketpair()
        inherited = (theirs.fileno(), self._begun.fd)
        command = [sys.executable, "-m", "pipeline.worker.apart", *map(str, (*inherited, os.getpid()))]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=inherited, start_new_session=True
            )
        except OSError:
            ours.close()
            self._begun.close()
            raise
        finally:
            theirs.close()
        Exit(self._loop, self._process, self.gone.set_result)
        self.linked = self._loop.create_task(self._link(ours, start))

    async def _link(self, sock: socket.socket, start: Start) -> None:
        await self._loop.connect_accepted_socket(lambda: self._frames, sock)
        self._frames.send(start)

    async def run(self, held: Buffered, attempt: Attempt, offset: float) -> BaseException | None:
        """Run a job; None when it completed, Died when the process did not survive it."""
        self._attempt, self._ended = attempt, self._loop.create_future()
        self._sent += 1
        self._frames.send(Run(held.id, held.lease, held.record, held.runs, offset))
        try:
            ended = await self._ended
        except Died as died:
            if not attempt.stopped and self._unbegun:
                # It was gone before the job reached it.
                attempt.stopped = "release"
            return asyncio.CancelledError() if attempt.stopped else died
        finally:
            self._attempt = self._ended = None
        attempt.result = ended.result
        return Told(ended.failure) if ended.failure is not None else None

    @property
    def busy(self) -> bool:
        """Whether it runs a job."""
        return self._attempt is not None

    def soften(self) -> None:
        """Raise SoftTimeout in the handler."""
        self._frames.send(Soft())

    def change(self, policy: QueuePolicy) -> None:
        """Go by another policy from the next job on."""
        self._frames.send(Change(policy))

    def kill(self) -> None:
        """End it now, with all that it started."""
        self.doomed = True
        if not self.gone.done():
            kill_group(self._process)

    def close(self) -> None:
        """Let it go, once it has nothing to do."""
        self._frames.close()

    def _heard(self, message: Any) -> None:
        match message:
            case Ended() if self._ended is not None and not self._ended.done():
                self._ended.set_result(message)
            case Note() if self._attempt is not None and self._attempt.job.note is not None:
                value = msgspec.Raw(message.value) if message.kind == "progress" else _text(message.value)
                # Whoever lost the job, or cancelled it, has it killed.
                with contextlib.suppress(LeaseLost, JobCancelled):
                    self._attempt.job.note(self._attempt.job, message.kind, value)
            case Ready() if not self.loaded.done():
                self.loaded.set_result(None)
            case Failed() if not self.loaded.done():
                self.loaded.set_exception(NotLoaded(message.reason, message.traceback))

    def _fall(self, _: asyncio.Future[int]) -> None:
        self.doomed = True
        # What it said last comes before the end of the socket, which somebody that it started may hold open.
        if self._silent:
            self._fallen()
        else:
            self._loop.call_later(LAST_WORDS_SECONDS, self._fallen)

    def _hung_up(self) -> None:
        self._silent = True
        if self.gone.done():
            self._fallen()

    def _fallen(self) -> None:
        if self._fell:
            return
        self._fell = True
        self._unbegun = self._begun.count < self._sent
        self._begun.close()
        self._frames.close()
        died = Died(f"its process ended: {_end_of(self.gone.result())}")
        for waits in (self.loaded, self._ended):
            if waits is not None and not waits.done():
                waits.set_exception(died)


class ProcessSlots:
    """Processes that run handlers of any kind. `ready` is done when the first has loaded the handlers, and fails when
    it cannot. A process is replaced after `max_jobs`."""

    def __init__(self, desk: ProcessDesk, size: int, plan: WorkerPlan, policy: QueuePolicy) -> None:
        self._desk = desk
        self._plan = plan
        self._policy = policy
        self._buffer: deque[Buffered] = deque()
        self._free: dict[int, asyncio.Future[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._processes: dict[int, Process] = {}
        self._starting: set[int] = set()
        self._leaving: set[asyncio.Future[int]] = set()
        self._surplus = 0
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.resize(size)

    def __len__(self) -> int:
        # What waits for a process that is about to be ready is as good as begun.
        return max(len(self._buffer) - len(self._starting), 0)

    def add(self, jobs: list[Buffered]) -> None:
        """Jobs to begin as soon as slots are free."""
        self._buffer.extend(jobs)
        self._wake(len(self._buffer))

    def drain(self) -> list[Buffered]:
        """Take back what has not begun."""
        jobs = list(self._buffer)
        self._buffer.clear()
        return jobs

    def resize(self, size: int) -> None:
        """Serve with so many slots: new ones start a process, surplus ones end after the job that they run."""
        self._surplus = max(len(self._tasks) - size, 0)
        for slot in unused(self._tasks, 0, 1, size):
            self._tasks[slot] = self._loop.create_task(self._serve(slot))
        self._wake(self._surplus)

    def change(self, policy: QueuePolicy) -> None:
        """Go by another policy from the next job on."""
        self._policy = policy
        for process in self._processes.values():
            process.change(policy)

    def stop(self, slot: int, attempt: Attempt, why: str) -> None:
        """Raise SoftTimeout in the handler, or kill its process."""
        process = self._processes.get(slot)
        if process is None:
            return
        if why == "soft":
            process.soften()
        else:
            attempt.stopped = why
            process.kill()

    async def close(self, timeout: float) -> None:
        """Let all processes go, and wait until they have ended; after `timeout` seconds they are killed."""
        for process in self._processes.values():
            if process.busy:
                # Its job was given back, or runs elsewhere.
                process.kill()
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in self._processes.values():
            await process.linked
            self._release(process)
        if self._leaving:
            await asyncio.wait(set(self._leaving), timeout=timeout)
        for process in self._processes.values():
            process.kill()

    # --- a slot ------------------------------------------------------------------------------------------

    async def _serve(self, slot: int) -> None:
        leaves = False
        while not leaves and (process := await self._start(slot)) is not None:
            leaves = await self._use(slot, process)
            del self._processes[slot]
            self._release(process)
        self._desk.idle(slot)
        del self._tasks[slot]

    async def _start(self, slot: int) -> Process | None:
        """A process that has loaded the handlers; None when there is none to be had."""
        plan = self._plan
        try:
            own = (plan.json_logs, plan.project, plan.worker)
            process = Process(Start(plan.root, plan.setup, self._policy, plan.stop_timeout, *own))
        except OSError as error:
            self._give_up(NotLoaded(f"no process can be started: {error.strerror}", ""))
            return None
        self._processes[slot] = process
        self._starting.add(slot)
        process.gone.add_done_callback(lambda _: self._rouse(slot))
        try:
            await process.loaded
        except (NotLoaded, Died) as error:
            del self._processes[slot]
            self._release(process)
            self._give_up(error if isinstance(error, NotLoaded) else NotLoaded(str(error), ""))
            return None
        finally:
            self._starting.discard(slot)
        if not self.ready.done():
            self.ready.set_result(None)
        return process

    def _give_up(self, error: NotLoaded) -> None:
        if self.ready.done():
            self._desk.cannot_start(str(error))
        else:
            self.ready.set_exception(error)

    async def _use(self, slot: int, process: Process) -> bool:
        """Run jobs in a process until it is gone or has done enough; True when the slot is one too many."""
        desk, done, most = self._desk, 0, self._policy.executor_max_jobs
        while not process.doomed and (most is None or done < most):
            if self._surplus:
                self._surplus -= 1
                return True
            if not self._buffer:
                await self._idle(slot, process)
                continue
            held = self._buffer.popleft()
            attempt = desk.begin(slot, held)
            if attempt is not None:
                error = await process.run(held, attempt, desk.offset)
                done += 1
                desk.ended(slot, attempt, error)
        return False

    async def _idle(self, slot: int, process: Process) -> None:
        """Wait for a job, or for the end of the process, which takes a rest then."""
        self._desk.idle(slot)
        free = self._free[slot] = self._loop.create_future()
        await free
        if process.doomed:
            await asyncio.sleep(PAUSE_SECONDS)

    def _wake(self, most: int) -> None:
        for slot in list(self._free)[:most]:
            self._rouse(slot)

    def _rouse(self, slot: int) -> None:
        if (free := self._free.pop(slot, None)) is not None and not free.done():
            free.set_result(None)

    def _release(self, process: Process) -> None:
        process.close()
        if not process.gone.done():
            self._leaving.add(process.gone)
            process.gone.add_done_callback(self._leaving.discard)


def _text(written: bytes) -> str:
    return str(msgspec.json.decode(written))


def _end_of(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name} (out of memory?)" if name == "SIGKILL" else name
