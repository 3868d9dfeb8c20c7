"""Many jobs moved for a person, with progress, in threads of their own. They are known until an hour after their end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import PipelineError
from pipeline.store.blocking import BlockingConnection
from pipeline.web.hands import Hands
from pipeline.web.response import Refused

MOST = 8
KEPT_MS = 3_600_000
KEPT_REASONS = 100
TELL_SECONDS = 0.5
SECONDS = 30.0
Do = Literal["retry", "cancel", "remove", "promote", "redrive", "purge"]
TaskState = Literal["looking", "running", "stopping", "done", "stopped", "failed"]
log = logging.getLogger(__name__)


class Task(Struct, kw_only=True):
    """Many jobs on their way. Times are ms since 1970; see docs/http-api.md."""

    id: str
    queue: str
    do: Do
    by: str
    state: TaskState = "looking"
    total: int | None = None
    done: int = 0
    moved: int = 0
    told: int = 0
    elsewhere: int = 0
    left: int = 0
    kept: dict[str, str] = {}
    kept_total: int = 0
    died: int | None = None
    reason: str | None = None
    started_at: int
    finished_at: int | None = None


class Run:
    """A task while it goes on. Only its own thread changes the task."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._stop = threading.Event()

    def stop(self) -> None:
        """End it behind the chunk that is under way."""
        self._stop.set()
        if self.task.state in ("looking", "running"):
            self.task.state = "stopping"

    def stopped(self) -> bool:
        """Whether it should end."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> None:
        """Wait so long, or until it should end."""
        self._stop.wait(seconds)

    def goes_on(self, total: int | None) -> None:
        """It has been found what to move."""
        self.task.total = total
        if self.task.state == "looking":
            self.task.state = "running"

    def keep(self, kept: dict[str, str]) -> None:
        """These stay as they are."""
        self.task.kept_total += len(kept)
        room = KEPT_REASONS - len(self.task.kept)
        self.task.kept = self.task.kept | dict(list(kept.items())[: max(room, 0)])


Work = Callable[[BlockingConnection, Run], None]


class Tasks:
    """All tasks of the process. `tell` hears how each gets on."""

    def __init__(self, url: str, clock: Callable[[], int], tell: Callable[[Task], None]) -> None:
        self._hands = Hands(url, threads=MOST, seconds=SECONDS)
        self._clock = clock
        self._tell = tell
        self._runs: dict[str, Run] = {}
        self._going: set[asyncio.Task[None]] = set()
        self._telling: asyncio.Task[None] | None = None
        self._count = 0

    def start(self, queue: str, do: Do, by: str, work: Work) -> Task:
        """Begin. Raises Refused (429) when there are too many."""
        self._forget()
        if len(self._going) >= MOST:
            raise Refused(
                429,
                "too_many",
                f"{MOST} tasks run already",
                "wait for one, or stop it",
                headers=(("retry-after", "5"),),
            )
        self._count += 1
        run = Run(
            Task(id=f"t{self._clock():x}-{self._count}", queue=queue, do=do, by=by, started_at=self._clock())
        )
        self._runs[run.task.id] = run
        going = asyncio.ensure_future(self._go(run, work))
        self._going.add(going)
        going.add_done_callback(self._going.discard)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell_all())
        return run.task

    def one(self, id: str) -> Run:
        """The task. Raises Refused (404)."""
        self._forget()
        if id not in self._runs:
            raise Refused(
                404, "unknown_task", "there is no such task", "an hour after its end it is forgotten"
            )
        return self._runs[id]

    def all(self) -> list[Task]:
        """Every task, the newest first."""
        self._forget()
        return [run.task for run in reversed(self._runs.values())]

    def close(self) -> None:
        """End all of them behind the chunks that are under way."""
        for run in self._runs.values():
            run.stop()
        if self._telling is not None:
            self._telling.cancel()
        self._hands.close()

    async def _go(self, run: Run, work: Work) -> None:
        task = run.task
        try:
            await self._hands.run(lambda connection: work(connection, run))
            task.state = "stopped" if run.stopped() else "done"
        except (PipelineError, Refused) as error:
            task.state, task.reason = "failed", error.message
        except Exception:
            log.exception("task %s", task.id)
            task.state, task.reason = "failed", "something went wrong here: the log says what"
        task.finished_at = self._clock()

    async def _tell_all(self) -> None:
        """Say how each gets on, while any does; once more at its end."""
        told: dict[str, Task] = {}
        while True:
            over = not self._going
            for id, run in self._runs.items():
                if told.get(id) != run.task:
                    told[id] = replace(run.task)
                    self._tell(told[id])
            if over:
                return
            await asyncio.sleep(TELL_SECONDS)

    def _forget(self) -> None:
        now = self._clock()
        for id, run in list(self._runs.items()):
            if run.task.finished_at is not None and run.task.finished_at < now - KEPT_MS:
                del self._runs[id]
