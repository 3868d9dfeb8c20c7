"""Everything that can be said of a project's broker, for a person who wants to know."""

from __future__ import annotations

from msgspec import Struct

from pipeline.broker import parse
from pipeline.doctor import access, durability, health, limits
from pipeline.doctor.check import Check, failed, ok
from pipeline.doctor.facts import PATIENCE, within
from pipeline.doctor.servers import gather_all
from pipeline.plan import Plan
from pipeline.store import layout
from pipeline.store.call import run
from pipeline.store.connect import connect


class Diagnosis(Struct, frozen=True):
    """`ok`: nothing is WEAK or FAILED. `loss` says in words what can be lost of what was accepted."""

    ok: bool
    loss: str
    checks: list[Check]


async def examine(plan: Plan, url: str) -> Diagnosis:
    """Look at the broker at `url`. Raises BrokerError when it cannot be reached, or lets nobody in."""
    address = parse(url)
    connection = await connect(address)
    try:
        servers = await gather_all(connection)
        facts = servers.weakest(plan.broker)
        async with within(PATIENCE):
            room = await limits.look(connection, facts, plan)
            rights = await access.rights(connection, plan.name, address.way)
            lies = layouts(await run(connection, layout.of(plan.name)))
    finally:
        connection.close()
    checks = [
        Check("reachable", "ok", str(address)),
        *room[:2],
        *servers.checks(lambda one: (*health.look(one), *durability.compare(one, plan.broker))),
        *access.network(address),
        rights,
        lies,
        *room[2:],
    ]
    fine = all(check.verdict in ("ok", "UNVERIFIED") for check in checks)
    return Diagnosis(fine, durability.loss(facts, plan.broker), checks)


def layouts(found: layout.Layout | None) -> Check:
    """Whether this version knows how jobs lie there."""
    number = layout.WRITTEN if found is None else found.number
    if found is None or number <= layout.NEWEST:
        return ok("layout", f"jobs lie in layout {number}" if found else "no jobs yet")
    meaning = f"this version knows those up to {layout.NEWEST}, and leaves the jobs alone"
    help = f"use pipeline-queues {found.version} or newer"
    return failed("layout", f"layout {number}, since pipeline-queues {found.version}", meaning, help)
