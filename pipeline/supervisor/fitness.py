"""Whether a broker may be trusted with jobs: looked at once, when a supervisor starts."""

from __future__ import annotations

from msgspec import Struct

from pipeline.doctor import health
from pipeline.doctor.check import Check
from pipeline.doctor.durability import compare, confirm, loss
from pipeline.doctor.servers import gather_all
from pipeline.errors import BrokerUnfit
from pipeline.plan import BrokerPlan
from pipeline.store.confirm import Confirm
from pipeline.store.wire import Connection

UNFIT = ("version", "eviction")


class Fitness(Struct, frozen=True):
    """What was found. `loss` says in words what can be lost; `warnings` are to be shown to a person; `confirm` is
    what producers must wait for."""

    kind: str
    version: str
    loss: str
    warnings: tuple[Check, ...] = ()
    confirm: Confirm | None = None


async def inspect(connection: Connection, wanted: BrokerPlan) -> Fitness:
    """Look at the broker. Raises BrokerUnfit when it is too old, or would evict jobs."""
    servers = await gather_all(connection)
    facts = servers.weakest(wanted)
    checks = servers.checks(lambda one: (*health.look(one), *compare(one, wanted)))
    for check in checks:
        if check.verdict == "FAILED" and check.name in UNFIT:
            raise BrokerUnfit(f"the broker cannot be used: {check.sentence}", check.help)
    warnings = tuple(check for check in checks if check.verdict in ("WEAK", "FAILED"))
    version = facts.version or "of a hidden version"
    return Fitness(facts.kind, version, loss(facts, wanted), warnings, confirm(facts, wanted))
