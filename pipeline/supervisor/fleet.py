"""The pools of the plan that runs, and how they go over to another plan."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from pipeline.errors import StartError
from pipeline.plan import Plan, WorkerPlan
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.supervisor.canary import Canary, rehearse
from pipeline.supervisor.child import Child, Parent
from pipeline.supervisor.host import new_worker_name
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pool import Owner, Pool

NOTHING_TO_RUN = 2
ROOM_SECONDS = 0.02
Staff = dict[str, dict[str, QueuePolicy]]
"""Pools by name, each with the queues that it serves."""


class Fleet:
    """All worker processes of a supervisor. `only` are the queues of `run --queues`; None means all."""

    def __init__(self, plan: Plan, only: Sequence[str] | None, url: str, logs: Logs, owner: Owner) -> None:
        self.plan = plan
        self.only = only
        self._url = url
        self._logs = logs
        self._owner = owner
        self.coming: set[str] = set()
        """The queues of a plan that is about to be applied."""
        self.ahead: dict[str, Canary] = {}
        """The workers that such a plan is tried with, by pool."""
        self._quiet = False
        self.pools = [self._pool(plan, name, queues) for name, queues in staff(plan, only).items()]

    def _pool(self, plan: Plan, name: str, queues: Mapping[str, QueuePolicy]) -> Pool:
        rules = plan.supervisor
        return Pool(name, queues, plan.pools[name], rules, self.hire, self._logs, self._owner)

    def hire(
        self, queues: Sequence[QueuePolicy], label: str, parent: Parent, *, alone: bool = False
    ) -> Child:
        """Start a worker by the plan that runs."""
        return self._start(self.plan, queues, label, parent, alone=alone)

    def _start(
        self,
        plan: Plan,
        queues: Sequence[QueuePolicy],
        label: str,
        parent: Parent,
        *,
        alone: bool = False,
        waits: bool = False,
    ) -> Child:
        rules = plan.supervisor
        order = WorkerPlan(
            worker=new_worker_name(),
            project=plan.name,
            root=plan.root,
            broker=self._url,
            queues=tuple(queues),
            setup=plan.setup,
            stop_timeout=rules.stop_timeout,
            lease=rules.lease,
            import_timeout=rules.import_timeout,
            alone=alone,
            waits=waits,
            json_logs=self._logs.json,
        )
        return Child(order, label, self._logs, parent)

    # --- over to another plan --------------------------------------------------------------------------

    async def make_room(self, plan: Plan, roll: Collection[str]) -> None:
        """Wait until no worker of the generation before the last is there, of the queues that get another one."""
        coming = {queue for queues in self._come(plan, roll).values() for queue in queues}
        said = False
        while any(child.overtaken > 1 and not coming.isdisjoint(child.boards) for child in self.children):
            if not said:
                self._logs.say("a change waits until workers of the change before the last have left")
            said = True
            await asyncio.sleep(ROOM_SECONDS)

    def _come(self, plan: Plan, roll: Collection[str]) -> Staff:
        """The pools of `plan` that are new or must roll."""
        running = {pool.name for pool in self.serving}
        return {
            name: queues
            for name, queues in staff(plan, self.only).items()
            if name in roll or name not in running
        }

    async def rehearse(self, plan: Plan, roll: Collection[str]) -> dict[str, Child]:
        """For each pool that is new or must roll, a worker of the new plan that has imported the handlers.

        Raises CannotStart, and then none is left.
        """
        try:
            for name, queues in self._come(plan, roll).items():
                self.ahead[name] = self._canary(plan, name, list(queues.values()))
            return await rehearse(self.ahead)
        finally:
            self.ahead.clear()

    def _canary(self, plan: Plan, name: str, queues: Sequence[QueuePolicy]) -> Canary:
        running = next((pool for pool in self.serving if pool.name == name), None)
        label = f"{name}.1" if running is None else running.free_label()

        def start(parent: Parent) -> Child:
            return self._start(plan, queues, label, parent, waits=True)

        return Canary(name, start, plan.supervisor.import_timeout)

    def commit(self, plan: Plan, canaries: Mapping[str, Child]) -> list[asyncio.Future[None]]:
        """Go over to `plan`: this cannot fail. The result tells when each worker that stays goes by it."""
        self.plan = plan
        wanted = staff(plan, self.only)
        told: list[asyncio.Future[None]] = []
        coming = {queue for name in canaries for queue in wanted[name]}
        for child in self.children:
            if not coming.isdisjoint(child.boards):
                child.overtake(plan.supervisor.stop_timeout)
        running = {pool.name: pool for pool in self.serving}
        for name, pool in running.items():
            if name not in wanted:
                pool.retire()
                continue
            if name in canaries:
                told += self.tell(pool, keep_handlers(pool.queues, wanted[name]))
                pool.change(wanted[name], plan.pools[name], plan.supervisor)
                pool.roll(canaries[name])
            else:
                pool.change(wanted[name], plan.pools[name], plan.supervisor)
                told += self.tell(pool, pool.queues)
                pool.forgive()
        for name, queues in wanted.items():
            if name not in running:
                self.pools.append(pool := self._pool(plan, name, queues))
                if self._quiet:
                    pool.hush()
                pool.roll(canaries.get(name))
        return told

    def tell(self, pool: Pool, queues: Mapping[str, QueuePolicy]) -> list[asyncio.Future[None]]:
        """Give a pool's workers the policies that hold now."""
        stop_timeout = self.plan.supervisor.stop_timeout
        return [child.apply(queues.values(), stop_timeout) for child in pool.children if not child.stale]

    def forget_stopped(self) -> None:
        """Drop the pools whose last worker has gone."""
        self.pools[:] = [pool for pool in self.pools if not pool.ending or pool.children]

    def hush(self) -> None:
        """Take no new jobs until `resume`, whatever plan comes meanwhile."""
        self._quiet = True
        for pool in self.pools:
            pool.hush()

    def resume(self) -> None:
        """Take jobs again."""
        self._quiet = False
        for pool in self.pools:
            pool.resume()

    def named_in(self, plan: Plan) -> list[str] | None:
        """The queues of `run --queues` that are in a plan still; None means all."""
        return None if self.only is None else [queue for queue in self.only if queue in plan.queues]

    # --- what there is ---------------------------------------------------------------------------------

    @property
    def quiet(self) -> bool:
        """Whether no new jobs are taken."""
        return self._quiet

    @property
    def serving(self) -> list[Pool]:
        """The pools of the plan, without those that are on their way out."""
        return [pool for pool in self.pools if not pool.ending]

    @property
    def queues(self) -> list[str]:
        """The queues that are served here."""
        return [queue for pool in self.serving for queue in pool.queues]

    @property
    def children(self) -> Iterator[Child]:
        """Every worker."""
        return (child for pool in self.pools for child in pool.children)

    @property
    def held_queues(self) -> set[str]:
        """The queues that any worker here still serves, or is about to."""
        return {*self.coming, *self.queues, *(queue for child in self.children for queue in child.boards)}


def keep_handlers(old: Mapping[str, QueuePolicy], new: Mapping[str, QueuePolicy]) -> dict[str, QueuePolicy]:
    """The new policies for workers that have only the old handlers, and are about to be replaced."""
    return {name: _keep_handlers(policy, new[name]) for name, policy in old.items() if name in new}


def _keep_handlers(old: QueuePolicy, new: QueuePolicy) -> QueuePolicy:
    def blend(job: JobPolicy, name: str | None) -> JobPolicy:
        now = new.others if name is None else new.job(name)
        return job if now is None else replace(now, handler=job.handler, around=job.around)

    jobs = {name: blend(job, name) for name, job in old.jobs.items()}
    others = blend(old.others, None) if old.others else None
    return replace(
        new,
        jobs=jobs,
        others=others,
        executor=old.executor,
        executor_max_jobs=old.executor_max_jobs,
        batch=old.batch,
    )


def has_handlers(policy: QueuePolicy) -> bool:
    """Whether anything of the queue can run here; one without handlers only stores."""
    return any(job.handler is not None for job in policy.every_job)


def choose(plan: Plan, only: Sequence[str] | None) -> list[str]:
    """The queues to run: those with handlers, or the named ones. Raises StartError for an unknown name."""
    names = list(plan.queues) if only is None else list(dict.fromkeys(only))
    unknown = [name for name in names if name not in plan.queues]
    if unknown:
        raise StartError(
            f"no queue {unknown[0]!r} in {plan.file}", NOTHING_TO_RUN, f"there are: {', '.join(plan.queues)}"
        )
    chosen = [name for name in names if has_handlers(plan.queues[name])]
    if not chosen:
        raise StartError("no queue has a handler: there is nothing to run", NOTHING_TO_RUN)
    return chosen


def staff(plan: Plan, only: Sequence[str] | None) -> Staff:
    """The pools with queues that have handlers, among the named ones."""
    served = {
        name: {
            queue: plan.queues[queue]
            for queue in pool.queues
            if (only is None or queue in only) and has_handlers(plan.queues[queue])
        }
        for name, pool in plan.pools.items()
    }
    return {name: queues for name, queues in served.items() if queues}
