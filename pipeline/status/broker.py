"""What the broker says of itself."""

from __future__ import annotations

from msgspec import Struct

from pipeline.doctor.durability import compare, durability
from pipeline.doctor.facts import gather
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
    facts = await gather(connection)
    wrong = [check.sentence for check in compare(facts, wanted) if check.verdict in ("WEAK", "FAILED")]
    return BrokerState(
        "embedded" if wanted.url == "embedded" else facts.kind,
        facts.version,
        durability(facts, wanted),
        facts.number("", "used_memory"),
        not wrong,
        wrong[0] if wrong else None,
    )
