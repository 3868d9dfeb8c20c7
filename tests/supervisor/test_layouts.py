"""How jobs lie in the broker: said once, moved when it is too old, refused when it is too new."""

from __future__ import annotations

import asyncio

import pytest

from pipeline import __version__
from pipeline.broker import parse
from pipeline.errors import BrokerUnfit
from pipeline.policies import Policies
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.store import keys, layout
from pipeline.store.call import run
from pipeline.store.connect import connect
from pipeline.store.layout import Layout
from pipeline.store.store import Store, write
from pipeline.store.wire import Connection
from pipeline.supervisor.layouts import MIGRATIONS, settle
from pipeline.supervisor.publish import publish_queue
from tests.acl import as_admin

OLD, NEW = "{shop}:old", "{shop}:new"
COUNT = 50


@pytest.fixture
async def connection(broker):
    """One that may move what it likes: the migrations of these tests do."""
    connection = await connect(parse(as_admin(broker)))
    yield connection
    connection.close()


async def mark(connection: Connection, text: str) -> None:
    await run(connection, write("SET", keys.layout("shop"), text))


async def fill(connection: Connection) -> None:
    """A project whose jobs lie in the first layout, which was not marked."""
    await run(connection, write("RPUSH", keys.generations("shop"), "hash"))
    await run(connection, write("RPUSH", OLD, *range(COUNT)))


async def move(connection: Connection, project: str) -> None:
    """A migration, step by step."""
    while await connection.call(("LMOVE", OLD, NEW, "LEFT", "RIGHT")) is not None:
        pass


async def nothing(connection: Connection, project: str) -> None:
    """One that finds nothing to do."""


def quiet(line: str) -> None:
    pass


async def test_an_empty_broker_is_told_our_layout_and_nothing_is_migrated(connection, lines):
    await settle(connection, "shop", lines.append, {1: move}, goal=2)
    assert await run(connection, layout.of("shop")) == Layout(2, __version__)
    assert lines == []


async def test_a_project_from_before_layouts_has_the_first_one(connection, lines):
    await fill(connection)
    await settle(connection, "shop", lines.append, {1: move, 2: nothing}, goal=3)
    assert await connection.call(("LRANGE", NEW, 0, -1)) == [b"%d" % n for n in range(COUNT)]
    assert await run(connection, layout.of("shop")) == Layout(3, __version__)
    assert lines == [
        "the jobs of shop are moved from layout 1 to 2",
        "the jobs of shop are moved from layout 2 to 3",
    ]


async def test_a_migration_that_was_cut_off_goes_on_where_it_was(connection):
    await fill(connection)

    async def dies(connection: Connection, project: str) -> None:
        for _ in range(COUNT // 2):
            await connection.call(("LMOVE", OLD, NEW, "LEFT", "RIGHT"))
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await settle(connection, "shop", quiet, {1: dies}, goal=2)
    assert await run(connection, layout.of("shop")) is None
    await settle(connection, "shop", quiet, {1: move}, goal=2)
    assert await connection.call(("LRANGE", NEW, 0, -1)) == [b"%d" % n for n in range(COUNT)]


async def test_two_supervisors_migrate_at_once_without_harm(connection):
    await fill(connection)
    await asyncio.gather(*(settle(connection, "shop", quiet, {1: move}, goal=2) for _ in range(2)))
    assert sorted(map(int, await connection.call(("LRANGE", NEW, 0, -1)))) == list(range(COUNT))
    assert await run(connection, layout.of("shop")) == Layout(2, __version__)


async def test_a_layout_is_never_lowered(connection):
    await mark(connection, "5 9.0.0")
    assert await run(connection, layout.raised("shop", 4)) == 5
    assert await run(connection, layout.of("shop")) == Layout(5, "9.0.0")


async def test_who_does_not_know_the_layout_is_told_which_version_does(connection):
    await mark(connection, f"{layout.NEWEST + 1} 9.0.0")
    with pytest.raises(
        BrokerUnfit, match=f"lie in layout {layout.NEWEST + 1}, since pipeline-queues 9.0.0"
    ) as told:
        await settle(connection, "shop", quiet)
    assert told.value.help == "use pipeline-queues 9.0.0 or newer"


async def test_a_producer_does_not_write_into_a_layout_that_it_does_not_know(connection):
    await publish_queue(connection, "shop", QueuePolicy("a", others=JobPolicy(handler="hands:work")), 1)
    store = Store("shop", "a")
    known = Policies(None)
    assert known.learn("a", await run(connection, store.policy())).generation == "1"
    await run(connection, write("HSET", keys.meta(store.queue), "layout", f"{layout.NEWEST + 1} 9.0.0"))
    with pytest.raises(BrokerUnfit, match=r"since pipeline-queues 9\.0\.0"):
        known.learn("a", await run(connection, store.policy()))


async def test_an_older_version_beside_a_newer_one_does_not_lower_what_producers_go_by(connection):
    queue = QueuePolicy("a", others=JobPolicy(handler="hands:work"))
    await publish_queue(connection, "shop", queue, 1)
    meta = keys.meta(Store("shop", "a").queue)
    await run(connection, write("HSET", meta, "layout", f"{layout.NEWEST + 1} 9.0.0"))
    await publish_queue(connection, "shop", queue, 2)
    assert await connection.call(("HGET", meta, "layout")) == b"%d 9.0.0" % (layout.NEWEST + 1)


def test_there_is_a_migration_for_each_layout_that_we_do_not_read_any_more():
    assert sorted(MIGRATIONS) == list(range(1, layout.OLDEST))
    assert layout.OLDEST <= layout.WRITTEN <= layout.NEWEST
