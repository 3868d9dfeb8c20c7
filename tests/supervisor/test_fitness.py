"""Which brokers are trusted, and what is said of them when a supervisor starts."""

from __future__ import annotations

import pytest

from pipeline.broker import parse
from pipeline.doctor.facts import gather
from pipeline.errors import BrokerUnfit
from pipeline.plan import BrokerPlan
from pipeline.store.confirm import Confirm
from pipeline.store.connect import connect
from pipeline.supervisor.fitness import inspect
from tests.acl import as_admin


@pytest.fixture
async def connection(broker):
    """One that may see the settings."""
    connection = await connect(parse(as_admin(broker)))
    yield connection
    connection.close()


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
    assert (found.warnings, found.confirm) == ((), None)
    assert "can lose the last second of accepted jobs; when its disk is slow, two" in found.loss
    assert found.kind in ("valkey", "redis")


async def test_a_broker_without_a_file_is_warned_of_with_what_to_do(connection, settings):
    await settings(appendonly="no")
    (warning,) = (await inspect(connection, BrokerPlan())).warnings
    assert "durability is everysec in the file" in warning.sentence
    assert "loses every job since its last snapshot" in warning.sentence
    assert "CONFIG SET appendonly yes" in warning.help


async def test_fsync_is_kept_by_the_server_alone_when_it_is_set_to_always(connection, settings):
    await settings(appendonly="yes", appendfsync="always")
    found = await inspect(connection, BrokerPlan(durability="fsync"))
    assert (found.warnings, found.confirm) == ((), None)
    assert "loses no accepted job" in found.loss


async def test_fsync_is_kept_by_producers_when_the_server_can_tell_what_its_file_holds(connection, settings):
    await settings(appendonly="yes", appendfsync="everysec")
    if not (await gather(connection)).waits_for_file:
        pytest.skip("this server is too old for WAITAOF")
    found = await inspect(connection, BrokerPlan(durability="fsync"))
    assert (found.warnings, found.confirm) == ((), Confirm())
    assert "loses no accepted job" in found.loss


async def test_too_few_replicas_are_warned_of_for_they_may_still_come(connection, settings):
    await settings(appendonly="yes")
    found = await inspect(connection, BrokerPlan("redis://queue", 2))
    assert [warning.found for warning in found.warnings] == [
        "0 of 2 replicas keep up",
        "min-replicas-to-write 0",
    ]
    assert found.confirm == Confirm(2)
    assert "a failover to a server that does not have it loses it" in found.loss


async def test_a_broker_that_evicts_is_refused_with_the_way_out(connection, settings):
    await settings(maxmemory_policy="allkeys-lru")
    with pytest.raises(BrokerUnfit, match="allkeys-lru") as refused:
        await inspect(connection, BrokerPlan())
    assert "broker.allow_eviction: true" in refused.value.help


async def test_a_broker_that_may_evict_is_used_with_a_warning(connection, settings):
    await settings(maxmemory_policy="allkeys-lru", appendonly="yes")
    found = await inspect(connection, BrokerPlan(allow_eviction=True))
    assert "jobs are lost" in found.warnings[0].sentence


@pytest.mark.parametrize("hidden", ["-config", "-@dangerous"])
async def test_a_broker_that_hides_its_settings_is_taken_and_its_loss_is_unverified(
    connection, broker, hidden
):
    await connection.call(("CONFIG", "SET", "appendonly", "yes"))
    await connection.call(("ACL", "SETUSER", "shy", "on", ">secret", "~*", "&*", "+@all", hidden))
    shy = await connect(parse(broker.replace("unix://", "unix://shy:secret@")))
    try:
        found = await inspect(shy, BrokerPlan())
        assert found.warnings == ()
        assert "UNVERIFIED" in found.loss
    finally:
        shy.close()
        await connection.call(("ACL", "DELUSER", "shy"))
        await connection.call(("CONFIG", "SET", "appendonly", "no"))
