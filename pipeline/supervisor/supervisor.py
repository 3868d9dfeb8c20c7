"""`pipeline run`: locks, the broker, and the loop. Nothing here imports user code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TextIO

from pipeline.errors import StartError
from pipeline.plan import Plan
from pipeline.policy import QueuePolicy
from pipeline.state import announce, state_folder, withdraw
from pipeline.supervisor.embedded import Embedded
from pipeline.supervisor.locks import free_queues, hold_queues
from pipeline.supervisor.logs import Line, Logs, Printer
from pipeline.supervisor.loop import Supervisor

NOTHING_TO_RUN = 2
TELL_SECONDS = 1.0


async def supervise(
    plan: Plan,
    *,
    queues: Sequence[str] | None = None,
    until_empty: bool = False,
    json_logs: bool = False,
    view: Callable[[Line], None] | None = None,
    out: TextIO,
) -> int:
    """Run the plan's pools until a signal, or until nothing is left; the exit code of `pipeline run`.

    Lines go to `view`, or else to `out`. Raises StartError (its exit_code: 78 a worker cannot start, 13 a
    queue is run already), BrokerUnfit, BrokerUnavailable.
    """
    chosen = choose(plan, queues)
    width = max(len(f"{name}.{pool.processes}") for name, pool in plan.pools.items())
    logs = Logs(view or Printer(out, json=json_logs, width=max(width, len("supervisor"))), json=json_logs)
    state = state_folder(plan.root)
    locks = hold_queues(state, chosen)
    try:
        record = announce(state, plan.file, chosen)
        try:
            return await _with_broker(plan, chosen, logs, until_empty=until_empty)
        finally:
            withdraw(state, record)
    finally:
        free_queues(locks)


async def _with_broker(plan: Plan, chosen: list[str], logs: Logs, *, until_empty: bool) -> int:
    if plan.broker.url != "embedded":
        return await Supervisor(plan, chosen, plan.broker.url, None, logs).run(until_empty=until_empty)
    embedded = Embedded(plan, "run")
    try:
        await _settle(embedded, logs)
        return await Supervisor(plan, chosen, embedded.url, embedded, logs).run(until_empty=until_empty)
    finally:
        embedded.close()


async def _settle(embedded: Embedded, logs: Logs) -> None:
    waited = 0.0
    for pause in embedded.waits():
        await asyncio.sleep(pause)
        if waited < TELL_SECONDS <= waited + pause:
            logs.say(embedded.describe())
        waited += pause


def has_handlers(policy: QueuePolicy) -> bool:
    """Whether anything of the queue can run here; one without handlers only stores."""
    policies = [*policy.jobs.values(), *([policy.others] if policy.others else [])]
    return any(job.handler is not None for job in policies)


def choose(plan: Plan, queues: Sequence[str] | None) -> list[str]:
    """The queues to run: those with handlers, or the named ones. Raises StartError for an unknown name."""
    names = list(plan.queues) if queues is None else list(dict.fromkeys(queues))
    unknown = [name for name in names if name not in plan.queues]
    if unknown:
        raise StartError(
            f"no queue {unknown[0]!r} in {plan.file}", NOTHING_TO_RUN, f"there are: {', '.join(plan.queues)}"
        )
    chosen = [name for name in names if has_handlers(plan.queues[name])]
    if not chosen:
        raise StartError("no queue has a handler: there is nothing to run", NOTHING_TO_RUN)
    return chosen
