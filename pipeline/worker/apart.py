"""The process of one slot: `python -m pipeline.worker.apart SOCKET BEGUN PARENT`. It runs one job after the other.

It never outlives its worker: the kernel kills it with that, and where the kernel does not, the end of the socket does.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable
from typing import Any

from msgspec.structs import replace

from pipeline.job import LOG_LINE_BYTES, SENT, Job, encode
from pipeline.lifespan import Lifespan
from pipeline.log import configure
from pipeline.policy import QueuePolicy
from pipeline.telemetry.switch import begin
from pipeline.worker import frames
from pipeline.worker.attempt import Attempt, Buffered, Handlers, Refused, failure
from pipeline.worker.boot import new_loop, reason_of, spare_the_collector
from pipeline.worker.frames import Begun, Change, Ended, Failed, Frames, Note, Ready, Run, Soft, Start
from pipeline.worker.slots import LoopSlots, ThreadSlots, now
from pipeline.worker.surround import surroundings

_PR_SET_PDEATHSIG = 1
CRASHED = 1
log = logging.getLogger("pipeline.worker")


class Apart:
    """The one slot of this process: it does for it what the pool does in a worker."""

    def __init__(self, handlers: Handlers, begun: Begun) -> None:
        self._handlers = handlers
        self._begun = begun
        handlers.note = self._note
        self._loop = asyncio.get_running_loop()
        self._attempt: Attempt | None = None
        self._offset = 0.0
        self._lanes: dict[bool, LoopSlots | ThreadSlots] = {}
        self.frames = Frames(self._heard, self._lost, up=False)
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def _heard(self, message: frames.Down) -> None:
        match message:
            case Run():
                self._offset = message.offset
                job = Buffered(message.id, message.lease, message.record, message.runs)
                self._lane(self._handlers.is_async(job.record)).add([job])
            case Soft() if self._attempt is not None and not self._attempt.ended:
                self._lane(self._attempt.handler.is_async).stop(0, self._attempt, "soft")
            case Change():
                self._change(message.policy)

    def _change(self, policy: QueuePolicy) -> None:
        try:
            self._handlers.table = self._handlers.prepare(_loaded_here(policy))
        except Exception:
            log.exception("goes by its old policy")

    def _lane(self, is_async: bool) -> LoopSlots | ThreadSlots:  # noqa: FBT001
        if is_async not in self._lanes:
            self._lanes[is_async] = LoopSlots(self, 1) if is_async else ThreadSlots(self, 1)
        return self._lanes[is_async]

    def _lost(self) -> None:
        if self._attempt is not None:
            # Nobody waits for this job any more: it must not go on, nor what it started.
            os.killpg(0, signal.SIGKILL)
        if not self.gone.done():
            self.gone.set_result(None)

    # --- what the slot asks ------------------------------------------------------------------------------

    def begin(self, slot: int, held: Buffered) -> Attempt | None:  # noqa: ARG002 - there is one
        """The attempt to run; None when the job cannot be run at all. From any thread."""
        self._begun.another()
        attempt = self._handlers.begin(held, now(), self._offset)
        if isinstance(attempt, Refused):
            self._send(Ended(b"", attempt.failure))
            return None
        self._attempt = attempt
        return attempt

    def ended(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:  # noqa: ARG002
        """The attempt ended. From any thread."""
        attempt.ended = now()
        self._attempt = None
        self._send(Ended(attempt.result, failure(error) if error is not None else None))

    ended_in_thread = ended

    def idle(self, slot: int) -> None:
        """The slot waits for a job."""

    def _note(self, job: Job[Any], kind: Any, value: Any) -> Awaitable[None]:  # noqa: ARG002 - it is the one that runs
        self._send(Note(kind, encode(value if kind == "progress" else str(value)[:LOG_LINE_BYTES])))
        return SENT

    def _send(self, message: frames.Up) -> None:
        # Also on the loop: what a handler notes goes out before its end, in the order in which it was said.
        self._loop.call_soon_threadsafe(self.frames.send, message)


def _loaded_here(policy: QueuePolicy) -> QueuePolicy:
    """The policy of a queue whose handlers this process runs itself, of either kind."""
    return replace(policy, executor="auto")


async def serve(sock: socket.socket, handlers: Handlers, begun: Begun) -> None:
    """Run jobs until the worker hangs up."""
    apart = Apart(handlers, begun)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: apart.frames, sock)
    apart.frames.send(Ready())
    await apart.gone


def main(fd: int, begun: int, parent: int) -> int:
    """Load the handlers, or say why not; then serve. The exit code."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sock = socket.socket(fileno=fd)
    start = frames.read(sock)
    if not isinstance(start, Start):
        raise TypeError(f"a process begins with Start, not {start}")
    configure(json=start.json_logs)
    loop = new_loop()
    lifespan = Lifespan(loop, start.setup)
    code = 0
    try:
        sys.path.insert(0, start.root)
        lifespan.begin()
        within = surroundings(start.worker, json_logs=start.json_logs)
        handlers = Handlers(_loaded_here(start.policy), within)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit too
        sock.sendall(frames.framed(Failed(**reason_of(error))))
        code = CRASHED
    else:
        flush = begin(start.project, start.worker)
        spare_the_collector()
        loop.run_until_complete(serve(sock, handlers, Begun(begun)))
        flush()
    lifespan.end(start.stop_timeout, code)
    return code


def die_with(parent: int) -> None:
    """Be killed when `parent` dies, where the kernel can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(CRASHED)


if __name__ == "__main__":
    try:
        code = main(*map(int, sys.argv[1:]))
    except EOFError:
        code = CRASHED
    sys.stdout.flush()
    # Threads of handlers that do not end must not keep the process.
    os._exit(code)
