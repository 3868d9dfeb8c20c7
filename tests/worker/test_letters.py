"""Dead letters: the copy of a dead job in another queue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from faults.proxy import Proxy
from pipeline import Job
from pipeline.broker import parse
from pipeline.job import KeptError, Letter, LetterError, decode_job, encode_record
from pipeline.policy import DeadLetter
from pipeline.store.call import run
from pipeline.store.connect import connect, connect_blocking
from pipeline.store.letters import Death, copy_of
from pipeline.store.operator import Operator
from pipeline.store.reader import JobView, Reader
from pipeline.store.scripts import script
from pipeline.store.store import Store
from tests.worker.shop import shop, until

MORGUE = DeadLetter(queue="morgue")


async def failing(job: Job[Any]) -> None:
    if isinstance(job.data, dict):
        job.data["spoilt"] = True  # the copy has the payload as it came
    raise ValueError(f"no {job.id}")


def letters(broker: str) -> list[JobView]:
    connection = connect_blocking(parse(broker))
    try:
        found = list(Operator(connection, "shop", "morgue").jobs())
    finally:
        connection.close()
    return sorted(found, key=lambda job: job.id)


def redrive(broker: str, id: str) -> None:
    connection = connect_blocking(parse(broker))
    try:
        Operator(connection, "shop", "q").redrive(id)
    finally:
        connection.close()


async def test_a_dead_job_has_a_copy_that_tells_whose_it_is_and_why(broker: str) -> None:
    async with shop(broker, failing, dead_letter=MORGUE) as it:
        it.worker()
        id = await it.enqueue("failing", {"charge": 9007199254740993}, priority=5)
        await it.ends_as(id, "dead")
        (copy,) = letters(broker)
        assert (copy.id, copy.name, copy.state, copy.priority) == ("q:1", "failing", "waiting", 5)
        assert copy.data == {"charge": 9007199254740993}
        assert copy.dead_letter == Letter("q", id, 1, LetterError("ValueError", "no 1"))


async def test_the_copy_is_there_before_the_job_is_dead(broker: str) -> None:
    async with shop(broker, failing, dead_letter=MORGUE) as it:
        it.worker()
        ids = [await it.enqueue("failing", n) for n in range(30)]
        for id in ids:
            await it.ends_as(id, "dead")
            assert f"q:{id}" in {copy.id for copy in letters(broker)}
        assert (await it.counts()).stats["failed"] == 30


async def test_a_job_that_is_redriven_and_dies_again_has_another_copy(broker: str) -> None:
    async with shop(broker, failing, dead_letter=MORGUE) as it:
        it.worker()
        id = await it.enqueue("failing")
        await it.ends_as(id, "dead")
        for _ in range(2):
            redrive(broker, id)
            await it.ends_as(id, "dead")
        assert [copy.id for copy in letters(broker)] == ["q:1", "q@2:1", "q@3:1"]
        assert (await it.client.job("q", id)).redriven == 2


async def test_a_copy_that_comes_twice_is_there_once_also_when_it_has_ended(broker: str) -> None:
    copy = copy_of("q", encode_record(1, "send", None), Death("7", 0, KeptError(1, 5, "E", "m")))
    connection = await connect(parse(broker))
    morgue = Store("shop", "morgue")
    assert await run(connection, morgue.letter([copy])) == 1
    assert await run(connection, morgue.letter([copy])) == 0
    counts = await run(connection, Reader("shop", "morgue").counts())
    assert (counts.enqueued, counts.waiting, counts.stats["duplicates"]) == (1, 1, 1)
    assert await run(connection, morgue.remove([("q:7", 0, "", 60_000)])) == ["waiting"]
    assert await run(connection, morgue.letter([copy])) == 0
    connection.close()


@pytest.mark.parametrize("lost", [b"HMGET", script("letter").sha])
async def test_copies_whose_answers_are_lost_arrive_once_and_every_job_dies_once(
    broker: str, lost: bytes
) -> None:
    with Proxy(broker) as proxy:
        proxy.drop_replies(2, lost)
        async with shop(broker, failing, dead_letter=MORGUE) as it:
            it.worker(broker=proxy.url)
            ids = [await it.enqueue("failing", n) for n in range(12)]
            for id in ids:
                await it.ends_as(id, "dead")
            assert (await it.counts()).stats["dead"] == 12
            assert {copy.id for copy in letters(broker)} == {f"q:{id}" for id in ids}
    assert proxy.lost > 0


async def test_a_worker_that_leaves_waits_for_its_letters(broker: str) -> None:
    async with shop(broker, failing, dead_letter=MORGUE) as it:
        pool = it.worker()
        ids = [await it.enqueue("failing", n) for n in range(5)]
        await until(lambda: len(pool._hand))
        pool.stop()
        await asyncio.gather(*it.ends)
        it.ends.clear()
        states = [(await it.client.job("q", id)).state for id in ids]
        assert states.count("dead") == len(letters(broker)) >= 1
        assert set(states) <= {"dead", "waiting"}


def test_a_record_that_cannot_be_read_has_a_copy_too() -> None:
    copy = copy_of("q", b'{"half', Death("7", 0, KeptError(1, 5, "E", "m")))
    job = decode_job(copy.record)
    assert (job.name, job.data) == ("unreadable", '{"half')
