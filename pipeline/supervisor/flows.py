"""What a supervisor does for flows: those that stand still, those whose time is over, those that ended long ago.

A flow is moved by the workers of its jobs. Who died, and what people do to single jobs, is seen here.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from pipeline.errors import BrokerRefused
from pipeline.flow import FlowPolicy
from pipeline.flows import Flows
from pipeline.plan import Plan
from pipeline.policies import Policies
from pipeline.store import keys
from pipeline.store.call import Call, run
from pipeline.store.flows import FlowStore, flow_names
from pipeline.store.store import write
from pipeline.store.wire import Connection
from pipeline.supervisor.logs import Logs
from pipeline.units import words
from pipeline.ways import Sure, Way, walk_async

QUIET_MS = 5_000
"""A flow that did not move for so long is looked at."""
SWEEPS = 10


async def publish_flows(connection: Connection, plan: Plan, generation: int) -> None:
    """Make the flows of a plan those that count; one that it does not have begins no more. Raises BrokerError."""
    if plan.flows:
        await run(connection, write("SADD", keys.flows(plan.name), *plan.flows))
    for name in await run(connection, flow_names(plan.name)):
        await run(connection, FlowStore(plan.name, name).publish(generation, plan.flows.get(name)))


class FlowUpkeep:
    """Looks after all flows of the project, once a beat. Harmless when several supervisors do."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._by = secrets.token_hex(6)

    async def tend(self, connection: Connection, plan: Plan, quiet: int = QUIET_MS) -> None:
        """One look, at flows that did not move for `quiet` ms. Raises BrokerError."""
        flows = Flows(plan.name, Policies(None))
        for name in await run(connection, flow_names(plan.name)):
            store = FlowStore(plan.name, name)
            policy = plan.flows.get(name) or FlowPolicy(name, {})
            for _ in range(SWEEPS):
                kept = policy.retention
                due, still, forgotten = await run(connection, store.watch(quiet, kept.count, kept.age))
                for id in due:
                    self._logs.say(f"flow {id} fails: it takes longer than {words(policy.timeout or 0)}")
                    await self._walk(connection, flows.expire(id, self._by, words(policy.timeout or 0)), id)
                await asyncio.gather(*(self._walk(connection, flows.look(id, self._by), id) for id in still))
                # Many may stand still for good reasons: the others have their turn with the next beat.
                if not (due or forgotten):
                    break

    async def _walk(self, connection: Connection, way: Way[Any], id: str) -> None:
        async def step(step: Call[Any] | Sure) -> Any:
            return await run(connection, step.call if isinstance(step, Sure) else step)

        try:
            await walk_async(way, step)
        except BrokerRefused as error:
            # The next look tries again; other flows must not wait for it.
            self._logs.say(f"flow {id}: {error.message}")
