"""What the broker says of itself."""

from __future__ import annotations

from msgspec import Struct

from pipeline.doctor.durability import compare, durability
from pipeline.doctor.servers import gather_all
from pipeline.plan import BrokerPlan
from pipeline.store.wire import Connection


class BrokerState(Struct, frozen=True):
    """The broker. `ok`: it loses no jobs by its settings, as far as it shows them; `reason` says why not."""

    kind: str
    version: str | None = None
    durability: str | None = None
    used_memory: int | None = None
    ok: bool = False
    reason: str | None = None


async def look_at_broker(connection: Connection, wanted: BrokerPlan) -> BrokerState:
    """Ask the broker for its version, memory and settings. Raises BrokerError."""
    servers = await gather_all(connection)
    facts = servers.weakest(wanted)
    checks = servers.checks(lambda one: compare(one, wanted))
    wrong = [check.sentence for check in checks if check.verdict in ("WEAK", "FAILED")]
    return BrokerState(
        "embedded" if wanted.url == "embedded" else facts.kind,
        facts.version,
        durability(facts, wanted),
        servers.used_memory,
        not wrong,
        wrong[0] if wrong else None,
    )
