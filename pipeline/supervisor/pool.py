"""The worker processes of one pool: kept alive, with pauses when they cannot start, until told to stop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from pipeline.clock import monotonic_ms
from pipeline.plan import PoolPlan, SupervisorPlan
from pipeline.policy import QueuePolicy
from pipeline.status.snapshot import PoolState
from pipeline.supervisor.child import PLANNED, Child, Failed, Parent
from pipeline.supervisor.logs import Logs
from pipeline.units import words

BARREN_DEATHS = 20
FATAL_RETRY_MS = 300_000
START_MS = 2_000
JITTER = 0.2
State = Literal["starting", "running", "backoff", "fatal", "stopping"]


class Hire(Protocol):
    """Starts a worker process."""

    def __call__(
        self, queues: Sequence[QueuePolicy], label: str, parent: Parent, *, alone: bool
    ) -> Child: ...


class Owner(Protocol):
    """Who is told what a pool cannot deal with itself."""

    def on_boot_failure(self, pool: Pool, failed: Failed) -> None:
        """The pool's first worker cannot start, for a reason that another try does not mend."""

    def on_child_gone(self, pool: Pool, child: Child, *, planned: bool) -> None:
        """A worker's process has ended; its jobs are still to be taken care of."""


class Pool:
    """Workers that serve `queues`, one queue as a rule. `keep` starts what is missing; it is called whenever
    something changed."""

    def __init__(
        self,
        name: str,
        queues: Mapping[str, QueuePolicy],
        plan: PoolPlan,
        rules: SupervisorPlan,
        hire: Hire,
        logs: Logs,
        owner: Owner,
    ) -> None:
        self.name = name
        self.queues = dict(queues)
        self.plan = plan
        self.state: State = "starting"
        self.reason: str | None = None
        self.children: list[Child] = []
        self._rules = rules
        self._hire = hire
        self._logs = logs
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self._ever_ready = False
        self._quiet = False
        self._ending = False
        self._failures = 0
        self._barren = 0
        self._settled_by_gone = 0
        self._settled_at_death = 0

    # --- keeping it alive ------------------------------------------------------------------------------

    def keep(self) -> None:
        """Start the processes that are missing, unless the pool stops, is quiet, or waits for its next try."""
        if not self._may_start():
            return
        # After a failure a single worker goes ahead: the others follow once it is ready.
        wanted = 1 if self._failures else self.plan.processes
        serving = [child for child in self.children if is_serving(child)]
        for _ in range(wanted - len(serving)):
            self.children.append(
                self._hire(list(self.queues.values()), self._free_label(), self, alone=False)
            )

    def keep_alone(self, queue: str) -> None:
        """Start a worker for the jobs that must run in a process of their own, unless there is one."""
        if self._may_start() and not any(child.alone and queue in child.boards for child in self.children):
            self.children.append(self._hire([self.queues[queue]], f"{queue}.alone", self, alone=True))

    def _may_start(self) -> bool:
        return not (self._ending or self._quiet or self.state == "fatal" or self._again is not None)

    def _free_label(self) -> str:
        taken = {child.label for child in self.children}
        number = 1
        while f"{self.name}.{number}" in taken:
            number += 1
        return f"{self.name}.{number}"

    def on_ready(self) -> None:
        """A worker has loaded the handlers: whatever kept it from starting is over."""
        self._ever_ready = True
        self._failures = 0
        if self.state in ("starting", "backoff"):
            self.state, self.reason = "running", None
            self._logs.say(f"{self.name} runs: {self._size()}")
        self.keep()

    def _size(self) -> str:
        count = self.plan.processes
        slots = sum(policy.concurrency for policy in self.queues.values())
        return f"{count} process{'es' if count > 1 else ''} x {slots} jobs at once"

    def on_retiring(self, child: Child, reason: str, reruns: list[str]) -> None:
        """A worker ends by itself: its replacement starts now."""
        again = f"; runs again: {', '.join(reruns)}" if reruns else ""
        self._logs.say(f"{child.label} is replaced: {reason}{again}")
        self.keep()

    # --- ends ------------------------------------------------------------------------------------------

    def on_gone(self, child: Child) -> None:
        """A worker's process has ended: tell the owner, and start another when it was not planned."""
        self.children.remove(child)
        self._settled_by_gone += child.settled
        planned = child.blameless or (child.code == PLANNED and child.drained)
        if not self._ending and not planned:
            self._count(child)
        self._owner.on_child_gone(self, child, planned=planned)
        self.keep()

    def _count(self, child: Child) -> None:
        if child.loaded:
            self._logs.say(f"{child.label} died: {child.describe_end()}; its jobs go back")
            self._count_barren()
            return
        failed = child.failed or Failed(child.describe_end())
        if child.failed is not None and not self._ever_ready:
            self._owner.on_boot_failure(self, failed)
            return
        self._failures += 1
        self.reason = f"cannot start: {failed.reason}"
        self._logs.say(f"{child.label} {self.reason}\n{failed.traceback}".rstrip())
        if self._failures >= self._rules.restart.give_up_after:
            self._give_up()
        else:
            self._back_off()

    def _count_barren(self) -> None:
        settled = self.settled()
        self._barren = self._barren + 1 if settled == self._settled_at_death else 1
        self._settled_at_death = settled
        if self._barren >= BARREN_DEATHS:
            self.reason = f"{BARREN_DEATHS} workers died in a row without ending a job"
            self._give_up()

    def settled(self) -> int:
        """How many jobs ended in this pool so far."""
        return self._settled_by_gone + sum(child.settled for child in self.children)

    def note_settled(self, count: int) -> None:
        """Jobs ended by the supervisor's hand: a poison job that is dead is no barren death."""
        self._settled_by_gone += count

    def _back_off(self) -> None:
        restart = self._rules.restart
        pause = min(restart.delay * 2 ** min(self._failures - 1, 30), restart.max)
        pause = round(pause * random.uniform(1 - JITTER, 1 + JITTER))
        if self.state != "fatal":
            self.state = "backoff"
        self._logs.say(f"{self.name} tries again in {words(pause // 100 * 100)}")
        self._try_in(pause)

    def _give_up(self) -> None:
        self.state = "fatal"
        self._logs.say(f"{self.name} is FATAL: {self.reason}; next try in {words(FATAL_RETRY_MS)}")
        self._try_in(FATAL_RETRY_MS)

    def _try_in(self, pause: int) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = self._loop.call_later(pause / 1000, self._try)

    def _try(self) -> None:
        self._again = None
        if self.state == "fatal":
            self.state = "backoff"
            # One try, not a new series of them.
            self._failures = max(self._rules.restart.give_up_after - 1, 1)
            self._barren = BARREN_DEATHS - 1
        self.keep()

    def end_hung_starts(self) -> None:
        """Kill workers whose imports take longer than they may."""
        limit = self._rules.import_timeout
        for child in self.children:
            if child.state == "starting" and monotonic_ms() - child.started > limit + START_MS:
                child.failed = Failed(f"its imports did not end within {words(limit)}")
                child.kill(blameless=False)

    # --- stopping --------------------------------------------------------------------------------------

    def hush(self) -> None:
        """Take no new jobs until `resume`."""
        self._quiet = True
        for child in self.children:
            child.hush()

    def resume(self) -> None:
        """Serve again: quiet workers never do, so new ones take their place."""
        if self._quiet and not self._ending:
            self._quiet = False
            for child in self.children:
                child.drain(self._rules.stop_timeout)
            self.keep()

    def stop(self) -> None:
        """Drain every worker and start none."""
        self._ending = True
        self.state = "stopping" if self.state != "fatal" else self.state
        if self._again is not None:
            self._again.cancel()
        for child in self.children:
            if child.state == "starting":
                child.kill()  # it has no jobs yet, and hears nothing before its imports end
            else:
                child.drain(self._rules.stop_timeout)

    def records(self) -> list[PoolState]:
        """The pool, once for each of its queues, for `status`."""
        return [PoolState(queue, self.state, len(self.children), self.reason) for queue in self.queues]


def is_serving(child: Child) -> bool:
    """Whether a worker takes jobs of the queue, or is about to."""
    return child.state in ("starting", "running") and not child.quiet and not child.alone
