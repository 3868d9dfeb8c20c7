"""Workers that exist on paper only, for the tests of whoever starts and stops them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pipeline.policy import QueuePolicy
from pipeline.supervisor.child import PLANNED, Child, Failed, Parent
from pipeline.supervisor.pool import Pool


async def until(look: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until `look` finds something."""
    async with asyncio.timeout(seconds):
        while not look():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class PaperChild(Child):
    """Does what it is told at once, and puts down what that was. It ends by `end`."""

    def __init__(
        self, queues: Sequence[QueuePolicy], label: str, parent: Parent, *, alone: bool = False
    ) -> None:
        self.label, self.name, self.parent, self.alone = label, f"name of {label}", parent, alone
        self.policies = list(queues)
        self.boards = dict.fromkeys([queue.name for queue in queues])  # type: ignore[assignment]
        self.state, self.started, self.chance = "starting", 0, 0.0
        self.pid, self.code, self.failed, self.leaves_by = 1, None, None, None
        self.loaded = self.serving = self.drained = self.quiet = self.stale = self.blameless = False
        self.overtaken = self.ended_jobs = self.bytes = self.deaf = 0
        self.told: list[Any] = []

    def go(self) -> None:
        self.told.append("go")

    def apply(self, queues: Iterable[QueuePolicy], stop_timeout: int) -> asyncio.Future[None]:
        self.told.append(("policy", list(queues), stop_timeout))
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told.set_result(None)
        return told

    def hush(self) -> None:
        self.quiet = True
        self.told.append("quiet")

    def drain(self, timeout: int | None) -> None:
        self.state = "stopping"
        self.told.append(("drain", timeout))

    def kill(self, *, blameless: bool = True) -> None:
        self.told.append("kill")
        self.blameless = blameless

    def forget(self) -> None:
        self.told.append("forget")

    def deaf_for(self) -> int:
        return self.deaf

    def memory(self) -> int | None:
        return self.bytes

    @property
    def settled(self) -> int:
        return self.ended_jobs

    # --- what a test has it do -------------------------------------------------------------------------

    def ready(self) -> PaperChild:
        self.loaded, self.serving, self.state = True, True, "running"
        self.parent.on_loaded()
        self.parent.on_ready()
        return self

    def end(self, code: int = PLANNED, failed: str | None = None) -> None:
        self.code, self.drained = code, code == PLANNED and self.state == "stopping"
        self.failed = Failed(failed) if failed else None
        self.state = "gone"
        self.parent.on_gone(self)


class Office:
    """Hires paper children, and is the owner of pools."""

    def __init__(self) -> None:
        self.hired: list[PaperChild] = []
        self.gone: list[tuple[str, bool]] = []
        self.boot_failures: list[str] = []

    def hire(
        self, queues: Sequence[QueuePolicy], label: str, parent: Parent, *, alone: bool = False
    ) -> PaperChild:
        self.hired.append(PaperChild(queues, label, parent, alone=alone))
        return self.hired[-1]

    def on_boot_failure(self, pool: Pool, failed: Failed) -> None:
        self.boot_failures.append(failed.reason)

    def on_denied(self, reason: str) -> None:
        self.boot_failures.append(reason)

    def on_child_gone(self, pool: Pool, child: Child, *, planned: bool) -> None:
        self.gone.append((child.label, planned))
