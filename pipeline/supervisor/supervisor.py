"""`pipeline run`: locks, the broker, and the loop. Nothing here imports user code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TextIO

from pipeline.plan import Plan
from pipeline.state import announce, state_folder, withdraw
from pipeline.supervisor.embedded import Embedded
from pipeline.supervisor.fleet import choose
from pipeline.supervisor.locks import QueueLocks
from pipeline.supervisor.logs import Line, Logs, Printer
from pipeline.supervisor.loop import Supervisor

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
    printer = Printer(out, json=json_logs, width=max(width, len("supervisor")))
    logs = Logs(view or printer, json=json_logs, secrets=plan.secrets)
    state = state_folder(plan.root)
    locks = QueueLocks(state)
    locks.hold(chosen)
    try:
        record = announce(state, plan, chosen)
        try:
            return await _with_broker(plan, queues, locks, logs, until_empty=until_empty)
        finally:
            withdraw(state, record)
    finally:
        locks.keep(())


async def _with_broker(
    plan: Plan, only: Sequence[str] | None, locks: QueueLocks, logs: Logs, *, until_empty: bool
) -> int:
    if plan.broker.url != "embedded":
        supervisor = Supervisor(plan, only, plan.broker.url, None, locks, logs)
        return await supervisor.run(until_empty=until_empty)
    embedded = Embedded(plan, "run")
    try:
        await _settle(embedded, logs)
        supervisor = Supervisor(plan, only, embedded.url, embedded, locks, logs)
        return await supervisor.run(until_empty=until_empty)
    finally:
        embedded.close()


async def _settle(embedded: Embedded, logs: Logs) -> None:
    waited = 0.0
    for pause in embedded.waits():
        await asyncio.sleep(pause)
        if waited < TELL_SECONDS <= waited + pause:
            logs.say(embedded.describe())
        waited += pause
