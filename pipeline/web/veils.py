"""Which values of a queue's jobs are hidden: by the plan that runs, and for a queue that left it by one that had it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.plan import Plan
from pipeline.store import history
from pipeline.store.call import run
from pipeline.store.reader import JobView
from pipeline.web.redact import NONE, Mask, Rules, Veiled, mask_of, rules, veil, veil_line
from pipeline.web.source import Source

EVERYTHING = rules(("data", "result", "progress", "error", "logs"))


class Veils:
    """The rules of each queue. Those of a queue that left the file are known once they were asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._plan = source.plan
        self._of: dict[str, Rules] = {}
        self._gone: dict[str, Rules] = {}

    def of(self, queue: str) -> Rules:
        """What is hidden in this queue. While that is not known, everything."""
        plan = self._source.plan
        if plan is not self._plan:
            self._plan, self._of = plan, {}
        found = self._of.get(queue)
        if found is None:
            known = queue in plan.queues
            found = rules_in(plan, queue) if known else self._gone.get(queue, EVERYTHING)
            if known:
                self._of[queue] = found
        return found

    def veil(self, job: JobView) -> Veiled:
        """The job as it may be shown."""
        return veil(job, self.of(job.queue))

    def line(self, job: JobView) -> JobView:
        """The job as a list may show it: without payload, result and progress."""
        return veil_line(job, self.of(job.queue))

    def seen(self, job: JobView) -> JobView:
        """The job as it may be shown, alone."""
        return self.veil(job).job

    def mask(self, job: JobView) -> Mask:
        """What hides the job's hidden values in text about it."""
        return mask_of(job, self.of(job.queue))

    async def learn(self, queue: str) -> None:
        """Look up what held for a queue that is not in the plan. Raises BrokerError."""
        if queue in self._source.plan.queues or queue in self._gone:
            return
        kept = [one.plan for one in await run(self._source.connection, history.read(self._source.plan.name))]
        had = next((plan for plan in kept if queue in plan.queues), None)
        if had is not None:
            self._gone[queue] = rules_in(had, queue)
        elif not any(policy.redact for plan in [self._source.plan, *kept] for policy in plan.queues.values()):
            self._gone[queue] = NONE


def rules_in(plan: Plan, queue: str) -> Rules:
    """What a plan hides in a queue: its own paths, and those of the queues whose dead letters it gets."""
    paths = (path for name in _letters_from(plan, queue) for path in plan.queues[name].redact)
    return rules(tuple(dict.fromkeys(paths)))


def _letters_from(plan: Plan, queue: str) -> Iterator[str]:
    seen, rest = set[str](), [queue]
    while rest:
        one = rest.pop()
        if one in seen:
            continue
        seen.add(one)
        yield one
        rest += [name for name, policy in plan.queues.items() if policy.dead_letter.queue == one]
