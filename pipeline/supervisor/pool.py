"""The worker processes of one pool: kept alive, as many as wanted, replaced when they are stale, until told to stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from pipeline.clock import monotonic_ms
from pipeline.plan import PoolPlan, SupervisorPlan
from pipeline.policy import QueuePolicy
from pipeline.status.supervisors import PoolState
from pipeline.supervisor.child import PLANNED, Child, Failed, Parent
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.recycle import worn
from pipeline.supervisor.restarts import BARREN_DEATHS, Restarts
from pipeline.units import words

START_MS = 2_000
DEAF_MS = 10_000
State = Literal["starting", "running", "backoff", "fatal", "stopping"]


class Hire(Protocol):
    """Starts a worker process."""

    def __call__(
        self, queues: Sequence[QueuePolicy], label: str, parent: Parent, *, alone: bool = False
    ) -> Child: ...


class Owner(Protocol):
    """Who is told what a pool cannot deal with itself."""

    def on_boot_failure(self, pool: Pool, failed: Failed) -> None:
        """The pool's first worker cannot start, for a reason that another try does not mend."""

    def on_child_gone(self, pool: Pool, child: Child, *, planned: bool) -> None:
        """A worker's process has ended; its jobs are still to be taken care of."""

    def on_denied(self, reason: str) -> None:
        """The broker does not let a worker in."""


class Pool:
    """Workers that serve `queues`, one queue as a rule. `keep` brings about what is wanted; it is called whenever
    something changed.

    `policies` has the queues of workers that are on their way out, too.
    """

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
        self.policies = dict(queues)
        self.plan = plan
        self.override: int | None = None
        """How many processes a person wants, instead of the file."""
        self.state: State = "starting"
        self.reason: str | None = None
        self.children: list[Child] = []
        self.recycled: Counter[str] = Counter()
        self.replaced: Counter[str] = Counter()
        """How many workers were, and why: died, cannot_start, rolled, retired, or the limit that they reached."""
        self.ending = False
        self._rules = rules
        self._hire = hire
        self._logs = logs
        self._owner = owner
        self._restarts = Restarts(rules.restart, self._try)
        self._ever_ready = False
        self._quiet = False
        self._settled_by_gone = 0

    # --- as many as wanted -----------------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """How many processes there should be."""
        return self.plan.processes if self.override is None else self.override

    @property
    def fresh(self) -> list[Child]:
        """The workers that serve, and are not to be replaced."""
        return [child for child in self.children if is_serving(child) and not child.stale]

    @property
    def settled_down(self) -> bool:
        """Whether the workers that run are those that are wanted; or nothing more can be expected."""
        serving = sum(child.serving for child in self.fresh)
        return serving >= self.wanted or self.ending or self._quiet or self.state in ("backoff", "fatal")

    def keep(self) -> None:
        """Start what is missing, drain what is too much, replace what is stale; unless the pool stops, is quiet, or
        waits for its next try."""
        if not self._may_start():
            return
        fresh, stale = self.fresh, [child for child in self.children if is_serving(child) and child.stale]
        ready = sum(child.serving for child in fresh)
        missing = self.wanted - len(fresh)
        if stale or self._restarts.failures:
            # One at a time: the next follows once this one is ready.
            missing = min(missing, 1 - (len(fresh) - ready))
        for _ in range(missing):
            if not self._start(list(self.queues.values()), self.free_label()):
                return
        surplus = fresh[self.wanted :] + stale[: max(len(stale) - max(self.wanted - ready, 0), 0)]
        for child in surplus:
            self._let_go(child)

    def _start(self, queues: Sequence[QueuePolicy], label: str, *, alone: bool = False) -> bool:
        """Whether the system gave us another process; else the next try comes later."""
        try:
            self.children.append(self._hire(queues, label, self, alone=alone))
        except OSError as error:
            self._failed(label, Failed(f"no process can be started: {error.strerror or error}"))
            return False
        return True

    def _let_go(self, child: Child) -> None:
        if child.state == "starting":
            child.kill()  # it has no jobs yet, and hears nothing before its imports end
        else:
            child.drain(self._patience())

    def _patience(self) -> int | None:
        """How long a worker that is replaced may end its jobs: as long as any of them may take, in ms."""
        limits = [job.timeout.hard for policy in self.policies.values() for job in policy.every_job]
        longest = [limit for limit in limits if limit is not None]
        return None if len(longest) < len(limits) else max([self._rules.stop_timeout, *longest])

    def keep_alone(self, queue: str) -> None:
        """Start a worker for the jobs that must run in a process of their own, unless there is one."""
        if self._may_start() and not any(child.alone and queue in child.boards for child in self.children):
            self._start([self.policies[queue]], f"{queue}.alone", alone=True)

    def _may_start(self) -> bool:
        return not (self.ending or self._quiet or self.state == "fatal" or self._restarts.waits)

    def free_label(self) -> str:
        """A name for the next worker."""
        taken = {child.label for child in self.children}
        number = 1
        while f"{self.name}.{number}" in taken:
            number += 1
        return f"{self.name}.{number}"

    # --- changes ---------------------------------------------------------------------------------------

    def change(self, queues: Mapping[str, QueuePolicy], plan: PoolPlan, rules: SupervisorPlan) -> None:
        """Go by another plan. Running workers are told by `Child.apply`, or replaced after `roll`."""
        self.queues = dict(queues)
        self.policies = {**self.policies, **queues}
        self.plan, self._rules = plan, rules
        self._restarts.rules = rules.restart

    def roll(self, first: Child | None = None) -> None:
        """Replace every worker, one at a time; `first` is ready to be the first of the new ones."""
        for child in self.children:
            child.stale = True
        self.replaced["rolled"] += len(self.children)
        self._ever_ready = True
        if first is not None and first.state != "gone":
            first.parent = self
            self.children.append(first)
            if self._quiet:
                first.hush()
            else:
                first.go()
        self.forgive()

    def forgive(self) -> None:
        """Something changed: a pool that had given up tries again."""
        self._restarts.clear()
        if self.state in ("backoff", "fatal"):
            self.state, self.reason = "starting", None
        if self.state == "starting" and any(child.serving for child in self.fresh):
            self._runs()
        self.keep()

    def recycle(self) -> None:
        """Replace workers that have done enough, by the plan."""
        for child in self.fresh:
            reason = worn(child, self.plan.recycle) if child.state == "running" else None
            if reason is not None:
                child.stale = True
                self.recycled[reason] += 1
                self.replaced[reason] += 1
                self._logs.say(f"{child.label} is replaced: {reason} reached")
                self.keep()

    # --- what workers tell -----------------------------------------------------------------------------

    def on_loaded(self) -> None:
        """A worker has loaded the handlers: whatever kept it from starting is over."""
        self._ever_ready = True
        self._restarts.clear()

    def on_ready(self) -> None:
        """A worker takes jobs."""
        if self.state in ("starting", "backoff"):
            self._runs()
        self.keep()

    def _runs(self) -> None:
        self.state, self.reason = "running", None
        self._logs.say(f"{self.name} runs: {self._size()}")

    def _size(self) -> str:
        count = self.wanted
        slots = sum(policy.concurrency for policy in self.queues.values())
        return f"{count} process{'es' if count > 1 else ''} x {slots} jobs at once"

    def on_denied(self, reason: str) -> None:
        """The broker does not let a worker in: that is everybody's trouble."""
        self._owner.on_denied(reason)

    def on_retiring(self, child: Child, reason: str) -> None:
        """A worker ends by itself: its replacement starts now."""
        self.replaced["retired"] += 1
        self._logs.say(f"{child.label} is replaced: {reason}")
        self.keep()

    def on_gone(self, child: Child) -> None:
        """A worker's process has ended: tell the owner, and start another when it was not planned."""
        self.children.remove(child)
        self._settled_by_gone += child.settled
        planned = child.blameless or (child.code == PLANNED and child.drained)
        if not self.ending and not planned:
            self._count(child)
        self._owner.on_child_gone(self, child, planned=planned)
        self._forget_policies()
        self.keep()

    def _forget_policies(self) -> None:
        served = {queue for child in self.children for queue in child.boards}
        self.policies = {
            name: policy for name, policy in self.policies.items() if name in self.queues or name in served
        }

    def _count(self, child: Child) -> None:
        if child.loaded:
            self.replaced["died"] += 1
            self._logs.say(f"{child.label} died: {child.describe_end()}; its jobs go back")
            if self._restarts.is_barren(self.settled()):
                self._give_up(f"{BARREN_DEATHS} workers died in a row without ending a job")
            return
        if child.stale:
            return  # whatever it could not do, those that take its place can
        failed = child.failed or Failed(child.describe_end())
        if child.failed is not None and not self._ever_ready:
            self._owner.on_boot_failure(self, failed)
            return
        self._failed(child.label, failed)

    def _failed(self, label: str, failed: Failed) -> None:
        self._restarts.failed()
        self.replaced["cannot_start"] += 1
        self.reason = f"cannot start: {failed.reason}"
        self._logs.say(f"{label} {self.reason}\n{failed.traceback}".rstrip())
        if self._restarts.hopeless:
            self._give_up(self.reason)
        else:
            self._back_off()

    def settled(self) -> int:
        """How many jobs ended in this pool so far."""
        return self._settled_by_gone + sum(child.settled for child in self.children)

    def note_settled(self, count: int) -> None:
        """Jobs ended by the supervisor's hand: a poison job that is dead is no barren death."""
        self._settled_by_gone += count

    def _back_off(self) -> None:
        if self.state != "fatal":
            self.state = "backoff"
        pause = self._restarts.back_off()
        self._logs.say(f"{self.name} tries again in {words(pause if pause < 1000 else pause // 100 * 100)}")

    def _give_up(self, reason: str) -> None:
        self.state, self.reason = "fatal", reason
        self._logs.say(f"{self.name} is FATAL: {reason}; next try in {words(self._restarts.give_up())}")

    def _try(self) -> None:
        if self.state == "fatal":
            self.state = "backoff"
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
        if self._quiet and not self.ending:
            self._quiet = False
            for child in self.children:
                child.drain(self._rules.stop_timeout)
            self.keep()

    def stop(self) -> None:
        """Drain every worker within `stop_timeout`, and start none."""
        self._end(self._rules.stop_timeout)

    def retire(self) -> None:
        """The plan has this pool no more: as `stop`, but its workers may end their jobs."""
        self._end(self._patience())

    def _end(self, timeout: int | None) -> None:
        self.ending = True
        self.state = "stopping" if self.state != "fatal" else self.state
        self._restarts.cancel()
        for child in self.children:
            if child.state == "starting":
                child.kill()
            else:
                child.drain(timeout)

    def records(self) -> Iterable[PoolState]:
        """The pool, once for each of its queues, for `status`."""
        for queue in self.queues:
            recycled = dict(self.recycled)
            reason = self.reason or self._deafness()
            yield PoolState(queue, self.state, len(self.children), reason, self.name, recycled)

    def _deafness(self) -> str | None:
        deaf = [child for child in self.fresh if child.serving and child.deaf_for() > DEAF_MS]
        if not deaf:
            return None
        return f"{len(deaf)} of {len(self.fresh)} workers have not heard of the broker for {words(DEAF_MS)}"


def is_serving(child: Child) -> bool:
    """Whether a worker takes jobs of the queue, or is about to."""
    return child.state in ("starting", "running") and not child.quiet and not child.alone
