"""Over to the layout that this version writes, before anybody serves; see docs/upgrades.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pipeline.store import keys, layout
from pipeline.store.call import run
from pipeline.store.wire import Connection

Migration = Callable[[Connection, str], Awaitable[None]]
"""Moves what a project (its name) has in the broker from one layout to the next. In chunks, and repeatable: it may be
killed anywhere, and two supervisors may do it at once. Raises BrokerError."""

MIGRATIONS: Mapping[int, Migration] = {}
"""By the layout that is left. There is one for each that is older than `layout.OLDEST`."""


async def settle(
    connection: Connection,
    project: str,
    say: Callable[[str], None],
    migrations: Mapping[int, Migration] = MIGRATIONS,
    goal: int = layout.WRITTEN,
) -> None:
    """Look at the layout, migrate what is too old for us, and say which one holds. Raises BrokerUnfit for one that is too
    new, BrokerError."""
    found = await run(connection, layout.of(project))
    layout.check(found, project)
    number = found.number if found is not None else await _unmarked(connection, project, goal)
    while number in migrations:
        say(f"the jobs of {project} are moved from layout {number} to {number + 1}")
        await migrations[number](connection, project)
        number = await run(connection, layout.raised(project, number + 1))
    if found is None or found.number < goal:
        await run(connection, layout.raised(project, goal))


async def _unmarked(connection: Connection, project: str, goal: int) -> int:
    """The first layout was not marked."""
    return 1 if await connection.call(("EXISTS", keys.generations(project))) else goal
