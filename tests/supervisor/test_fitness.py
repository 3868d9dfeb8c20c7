"""Which brokers are trusted, and what is said of them."""

from __future__ import annotations

import pytest

from pipeline.errors import BrokerUnfit
from pipeline.plan import BrokerPlan
from pipeline.store.wire import connect, parse
from pipeline.supervisor.fitness import UNVERIFIED, inspect


@pytest.fixture
async def settings(connection):
    """Change the server's settings for one test."""
    before: dict[str, str] = {}

    async def change(**values: str) -> None:
        for name, value in values.items():
            key = name.replace("_", "-")
            before.setdefault(key, (await connection.call(("CONFIG", "GET", key)))[1])
            await connection.call(("CONFIG", "SET", key, value))

    yield change
    for key, value in before.items():
        await connection.call(("CONFIG", "SET", key, value))


async def test_a_broker_that_writes_each_second_is_fit_and_its_loss_is_said_in_words(connection, settings):
    await settings(appendonly="yes", appendfsync="everysec")
    found = await inspect(connection, BrokerPlan())
    assert (found.warnings, "the last second" in found.loss) == ((), True)
    assert found.kind in ("valkey", "redis")


async def test_a_broker_without_a_file_is_warned_of(connection, settings):
    await settings(appendonly="no")
    found = await inspect(connection, BrokerPlan())
    assert "durability is everysec in the file" in found.warnings[0]
    assert "loses every job since its last snapshot" in found.warnings[0]


async def test_fsync_in_the_file_needs_fsync_in_the_broker(connection, settings):
    await settings(appendonly="yes", appendfsync="everysec")
    assert "durability is fsync" in (await inspect(connection, BrokerPlan(durability="fsync"))).warnings[0]
    await settings(appendfsync="always")
    found = await inspect(connection, BrokerPlan(durability="fsync"))
    assert (found.warnings, "loses nothing" in found.loss) == ((), True)


async def test_a_broker_that_evicts_is_refused_with_the_way_out(connection, settings):
    await settings(maxmemory_policy="allkeys-lru")
    with pytest.raises(BrokerUnfit, match="allkeys-lru") as refused:
        await inspect(connection, BrokerPlan())
    assert "broker.allow_eviction: true" in refused.value.help


async def test_a_broker_that_may_evict_is_used_with_a_warning(connection, settings):
    await settings(maxmemory_policy="allkeys-lru", appendonly="yes")
    found = await inspect(connection, BrokerPlan(allow_eviction=True))
    assert "jobs can be lost" in found.warnings[0]


async def test_a_broker_that_hides_its_settings_is_unverified(connection, broker):
    await connection.call(("ACL", "SETUSER", "shy", "on", ">secret", "~*", "&*", "+@all", "-config"))
    shy = await connect(parse(broker.replace("unix://", "unix://shy:secret@")))
    try:
        assert (await inspect(shy, BrokerPlan())).warnings == (UNVERIFIED,)
    finally:
        shy.close()
        await connection.call(("ACL", "DELUSER", "shy"))
