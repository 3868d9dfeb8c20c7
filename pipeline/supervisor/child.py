"""One worker process, as its supervisor sees it: started, ready, told to stop, gone."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from typing import Any, Literal, Protocol

from msgspec import Struct

from pipeline.clock import monotonic_ms
from pipeline.plan import WorkerPlan
from pipeline.policy import QueuePolicy
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.piped import Piped, end_of
from pipeline.worker.board import Board, Running

PLANNED, CANNOT_START, RECLAIMED = 0, 78, 75
State = Literal["starting", "running", "retiring", "stopping", "gone"]


class Failed(Struct, frozen=True):
    """Why a worker could not start."""

    reason: str
    traceback: str = ""


class Parent(Protocol):
    """Who hears of a worker."""

    def on_loaded(self) -> None:
        """A worker has loaded the handlers."""

    def on_ready(self) -> None:
        """A worker takes jobs: the broker has answered its first turn of each queue."""

    def on_denied(self, reason: str) -> None:
        """The broker does not let a worker in."""

    def on_retiring(self, child: Child, reason: str) -> None:
        """It takes no more jobs and will end by itself."""

    def on_gone(self, child: Child) -> None:
        """Its process has ended: `child.code` says how."""


class Child:
    """A worker process. `label` is its name for people; `code` its exit code, below 0 for a signal.

    `boards` has one board for each queue that it serves.
    """

    def __init__(self, plan: WorkerPlan, label: str, logs: Logs, parent: Parent) -> None:
        self.name = plan.worker
        self.label = label
        self.alone = plan.alone
        self.state: State = "starting"
        self.started = monotonic_ms()
        self.chance = random.random()
        self.retiring_since = 0
        self.failed: Failed | None = None
        self.code: int | None = None
        self.loaded = False
        """It has loaded the handlers."""
        self.serving = False
        """It takes jobs."""
        self.drained = False
        """It said that it was about to exit, with nothing left."""
        self.joined = False
        """Its lease was renewed at least once."""
        self.quiet = False
        self.stale = False
        """It is to be replaced: a newer plan or newer code counts, or it did enough."""
        self.overtaken = 0
        """How many generations of workers of its queues have come since."""
        self.leaves_by: int | None = None
        """When it must be gone, as it was told; a monotonic time in ms."""
        self.code_version: str | None = None
        """Which of the user's code it loaded."""
        self.blameless = False
        """Its end says nothing about its jobs: we killed it for a reason of our own."""
        self.timed_out: dict[str, set[tuple[str, int]]] = {}
        """The jobs (id, lease) of each queue for whose time limit it was killed."""
        self.boards = {queue.name: Board.create() for queue in plan.queues}
        self.parent = parent
        self._logs = logs
        self._applied: deque[asyncio.Future[None]] = deque()
        self._start(plan, logs)

    def _start(self, plan: WorkerPlan, logs: Logs) -> None:
        queue = None if len(plan.queues) > 1 else plan.queues[0].name
        boards = [board.fd for board in self.boards.values()]
        try:
            self._process = Piped(
                "pipeline.worker.main",
                boards,
                self._heard,
                self._ended,
                logs=logs,
                label=self.label,
                queue=queue,
            )
        except OSError:
            self.forget()
            raise
        self.pid = self._process.pid
        self._process.tell(plan)

    # --- what it says ----------------------------------------------------------------------------------

    def _heard(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "ready":
                self._loaded(event.get("code"))
            case "serving":
                self.serving = True
                if self.state == "running":
                    self.parent.on_ready()
            case "denied":
                self.parent.on_denied(str(event.get("reason", "")))
            case "applied" | "failed_policy" if self._applied:
                self._goes_by_policy(event.get("reason"))
            case "drained":
                self.drained = True
            case "failed":
                self.failed = Failed(str(event.get("reason", "")), str(event.get("traceback", "")))
            case "retiring":
                self._retires(str(event.get("reason", "")))

    def _loaded(self, code: str | None) -> None:
        self.loaded, self.code_version = True, code
        if self.state == "starting":
            self.state = "running"
            self.parent.on_loaded()

    def _goes_by_policy(self, trouble: str | None) -> None:
        self._applied.popleft().set_result(None)
        if trouble is not None:
            self._logs.say(f"{self.label} goes by its old policy: {trouble}")

    def _retires(self, reason: str) -> None:
        if self.state in ("starting", "running"):
            self.state, self.retiring_since = "retiring", monotonic_ms()
            self.parent.on_retiring(self, reason)

    def _ended(self, code: int) -> None:
        self.code = code
        self.state = "gone"
        for told in self._applied:
            told.set_result(None)
        self.parent.on_gone(self)

    # --- what it is told -------------------------------------------------------------------------------

    def go(self) -> None:
        """Begin to take jobs."""
        self._process.tell({"do": "go"})

    def apply(self, queues: Iterable[QueuePolicy], stop_timeout: int) -> asyncio.Future[None]:
        """Go by these policies from the next job on; the result comes when it does, or is gone."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._applied.append(told)
        self._process.tell({"do": "policy", "queues": list(queues), "stop_timeout": stop_timeout})
        return told

    def hush(self) -> None:
        """Take no new jobs."""
        self.quiet = True
        self._process.tell({"do": "quiet"})

    def drain(self, timeout: int | None) -> None:
        """End what runs within `timeout` ms, then release the rest and exit; None waits for all of it."""
        self.state = "stopping" if self.state != "gone" else self.state
        if timeout is not None:
            until = monotonic_ms() + timeout
            self.leaves_by = until if self.leaves_by is None else min(self.leaves_by, until)
        self._process.tell({"do": "drain", "timeout": timeout})

    def overtake(self, timeout: int) -> None:
        """Another generation comes: one that is on its way out has no more than `timeout` ms from now on."""
        self.overtaken += 1
        if self.state == "stopping":
            self.drain(timeout)

    def release(self) -> None:
        """Give back what runs and exit."""
        self.state = "stopping" if self.state != "gone" else self.state
        self._process.tell({"do": "release"})

    def dump_stacks(self) -> None:
        """Print what every thread is doing."""
        self._process.tell({"do": "stacks"})

    def kill(self, *, blameless: bool = True) -> None:
        """End it now, with all that it started."""
        self.blameless = self.blameless or blameless
        self._process.kill()

    # --- what is known ---------------------------------------------------------------------------------

    def running(self) -> dict[str, list[Running]]:
        """What its slots have begun and not ended, of each queue."""
        return {queue: board.running() for queue, board in self.boards.items()}

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return sum(map(len, self.running().values()))

    @property
    def settled(self) -> int:
        """How many jobs ended in it."""
        return sum(board.settled for board in self.boards.values())

    def stood_still(self) -> int:
        """How many ms ago its loop last went round; 0 before it did at all."""
        ticked = max(board.ticked for board in self.boards.values())
        return monotonic_ms() - ticked if ticked else 0

    def deaf_for(self) -> int:
        """For how many ms it has not heard of the broker that it asked; 0 before it asked at all."""
        heard = min(board.heard for board in self.boards.values())
        return monotonic_ms() - heard if heard else 0

    def memory(self) -> int | None:
        """Its resident memory in bytes, where the system says."""
        return self._process.memory()

    def forget(self) -> None:
        """Free what is left of it, once its jobs are taken care of."""
        for board in self.boards.values():
            board.close()

    def describe_end(self) -> str:
        """How it ended, for people."""
        if self.failed is not None:
            return self.failed.reason
        if self.code == RECLAIMED:
            return "it lost its lease"
        name = end_of(self.code)
        return f"{name} (out of memory?)" if name == "SIGKILL" and not self.blameless else name
