"""What the broker learns of the config."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from pipeline.policy import QueuePolicy
from pipeline.status.supervisors import SupervisorState
from pipeline.store import keys
from pipeline.store.call import run
from pipeline.store.reader import server_time
from pipeline.store.store import Store
from pipeline.supervisor.publish import Published, Publisher
from pipeline.supervisor.records import read_records, remove_record, write_record

STORE = Store("test", "a")


def with_queue(plan, hash, **changes):
    return replace(plan, hash=hash, queues={"a": replace(plan.queues["a"], **changes)})


async def publish(connection, plan):
    publisher = Publisher("ours")
    await publisher.greet(connection, plan, "me")
    return publisher.published


async def meta(connection, field):
    return await connection.call(("HGET", keys.meta(STORE.queue), field))


async def say_that_runs(connection, hash, for_ms):
    now = await run(connection, server_time())
    record = SupervisorState("other", 1, 1, hash, "ready", None, now, [], [])
    await write_record(connection, "test", "other", record, now + for_ms - 5_000)


async def test_the_first_config_is_generation_1_and_every_change_one_more(connection, plan):
    assert await publish(connection, plan) == Published(1)
    assert await publish(connection, with_queue(plan, "h2", max_active=7)) == Published(2)
    assert await meta(connection, "generation") == b"2"
    assert await meta(connection, "limited") == b"7"
    policy = msgspec.json.decode(await meta(connection, "policy"), type=QueuePolicy)
    assert policy.max_active == 7


async def test_the_same_content_is_the_same_generation(connection, plan):
    for _ in range(2):
        assert await publish(connection, plan) == Published(1)


async def test_every_queue_of_the_file_is_known_by_name(connection, plan):
    await publish(connection, plan)
    assert await connection.call(("SMEMBERS", keys.queues("test"))) == [b"a"]


async def test_an_older_file_joins_without_publishing_while_a_newer_one_runs(connection, plan):
    await publish(connection, plan)
    await publish(connection, with_queue(plan, "h2", max_active=7))
    await say_that_runs(connection, "h2", 5_000)
    assert await publish(connection, plan) == Published(1, behind=True)
    assert await meta(connection, "limited") == b"7"


async def test_going_back_to_an_older_file_is_a_new_generation_when_nothing_newer_runs(connection, plan):
    await publish(connection, plan)
    await publish(connection, with_queue(plan, "h2", max_active=7))
    await say_that_runs(connection, "h2", -1)
    assert await publish(connection, plan) == Published(3)
    assert await meta(connection, "limited") is None


async def test_a_persons_pause_beats_the_file_until_the_file_says_something_new(connection, plan):
    await publish(connection, plan)
    await run(connection, STORE.pause("me"))
    await publish(connection, with_queue(plan, "h2", concurrency=3))
    assert await meta(connection, "paused") == b"me"
    await publish(connection, with_queue(plan, "h3", paused=True))
    await run(connection, STORE.resume())
    await publish(connection, with_queue(plan, "h4", paused=True, concurrency=5))
    assert await meta(connection, "paused") is None
    await publish(connection, with_queue(plan, "h5"))
    await publish(connection, with_queue(plan, "h6", paused=True))
    assert await meta(connection, "paused") is not None
    await publish(connection, with_queue(plan, "h7"))
    assert await meta(connection, "paused") is None


async def test_a_record_is_there_until_it_is_removed_and_a_dead_ones_is_pruned(connection):
    now = await run(connection, server_time())
    record = SupervisorState("host", 1, 1, "h1", "ready", None, now, [], [])
    await write_record(connection, "test", "old", record, now - 60_000)
    await write_record(connection, "test", "new", record, now)
    assert list(await read_records(connection, "test")) == ["new"]
    await remove_record(connection, "test", "new")
    assert await read_records(connection, "test") == {}


async def test_the_record_of_another_version_is_passed_over(connection):
    await connection.call(("HSET", keys.supervisors("test"), "odd", '{"host": 1}'))
    assert await read_records(connection, "test") == {}
