"""All servers of a broker: in a cluster each primary has queues, and what is said of it is said of the weakest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from pipeline.doctor.check import Check, Verdict
from pipeline.doctor.durability import compare
from pipeline.doctor.facts import Facts, gather
from pipeline.plan import BrokerPlan
from pipeline.store.wire import Connection

ORDER: tuple[Verdict, ...] = ("ok", "UNVERIFIED", "WEAK", "FAILED")


class Servers(Struct, frozen=True):
    """What each server says of itself, by its name; the one server of another broker has none."""

    facts: dict[str, Facts]

    def weakest(self, wanted: BrokerPlan) -> Facts:
        """The one that can lose most."""
        return max(
            self.facts.values(), key=lambda facts: sorted(map(_rank, compare(facts, wanted)), reverse=True)
        )

    def checks(self, look: Callable[[Facts], Iterable[Check]]) -> list[Check]:
        """The worst of each check, with the name of its server where something is wrong."""
        worst: dict[str, Check] = {}
        for name, facts in self.facts.items():
            for check in look(facts):
                if check.name not in worst or _rank(check) > _rank(worst[check.name]):
                    worst[check.name] = _of(name, check) if check.verdict != "ok" else check
        return list(worst.values())

    @property
    def used_memory(self) -> int | None:
        """Bytes, of all together; None when one hides it."""
        used = [facts.number("", "used_memory") for facts in self.facts.values()]
        return None if None in used else sum(filter(None, used))


def _of(name: str, check: Check) -> Check:
    return replace(check, found=f"{name}: {check.found}") if name else check


def _rank(check: Check) -> int:
    return ORDER.index(check.verdict)


async def gather_all(connection: Connection) -> Servers:
    """Ask every server. Raises BrokerError."""
    servers = await connection.servers()
    facts = await asyncio.gather(*map(gather, servers.values()))
    return Servers(dict(zip(servers, facts, strict=True)))
