"""Producers of a queue that is removed from the file, and put back, while they work."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline import AsyncClient, Client
from pipeline.errors import QueueRemoved
from pipeline.policy import QueuePolicy
from pipeline.store.call import run_blocking
from pipeline.store.operator import Operator
from pipeline.store.store import Store
from tests.test_client import EMAILS, Broker, file  # noqa: F401 - a fixture


class Removable(Broker):
    """A project whose queue `emails` comes and goes."""

    def retract(self, generation: int) -> bool:
        return run_blocking(self.connection, Store("shop", "emails").retract(generation))

    def operator(self) -> Operator:
        return Operator(self.connection, "shop", "emails")


@pytest.fixture
def shop(broker: str) -> Iterator[Removable]:
    shop = Removable(broker)
    yield shop
    shop.connection.close()


def test_a_removed_queue_refuses_and_says_what_waits_and_what_to_do(shop: Removable) -> None:
    with Client(shop.url, "shop") as client:
        client.enqueue_many("emails", [("send", n) for n in range(1_200)])
        shop.retract(15)
        for _ in range(2):
            with pytest.raises(QueueRemoved) as caught:
                client.enqueue("emails", "send")
    assert str(caught.value).startswith(
        "queue 'emails' was removed from the file in generation 15; 1,200 jobs wait there"
    )
    assert caught.value.help == "put it back into the file, or delete what waits: pipeline purge emails"
    assert shop.counts().enqueued == 1_200


@pytest.mark.parametrize("options", [{}, {"id": "x"}], ids=["plain", "own id"])
def test_an_asynchronous_client_is_refused_as_well(shop: Removable, options: dict[str, Any]) -> None:
    async def work() -> None:
        async with AsyncClient(shop.url, "shop") as client:
            await client.enqueue("emails", "send")
            shop.retract(2)
            with pytest.raises(QueueRemoved, match="generation 2; 1 job waits there"):
                await client.enqueue("emails", "send", **options)
            shop.publish(EMAILS, generation=3)
            assert (await client.enqueue("emails", "send", **options)).status == "created"

    asyncio.run(work())


def test_a_producer_whose_own_file_has_the_queue_is_refused_all_the_same(
    shop: Removable,
    file: Path,  # noqa: F811
) -> None:
    shop.retract(2)
    with Client(file) as client, pytest.raises(QueueRemoved):
        client.enqueue("emails", "send")
    assert shop.counts().enqueued == 0


def test_what_waits_in_a_removed_queue_can_be_looked_at_and_purged(shop: Removable) -> None:
    with Client(shop.url, "shop") as client:
        client.enqueue_many("emails", [("send", n) for n in range(3)])
        shop.retract(2)
        assert [job.data for job in shop.operator().jobs(["waiting"])] == [2, 1, 0]
        assert client.job("emails", "2").state == "waiting"
        assert shop.operator().purge() == 3


def test_a_job_that_is_under_way_when_its_queue_goes_is_taken_or_refused_and_never_lost(
    shop: Removable,
) -> None:
    """Eight threads enqueue all the time while the queue is removed and put back."""
    with Client(shop.url, "shop") as client, ThreadPoolExecutor(8) as threads:

        def work(thread: int) -> list[str]:
            told = []
            for n in range(150):
                try:
                    told.append(client.enqueue("emails", "send", [thread, n]).id)
                except QueueRemoved:
                    told.append("refused")
            return told

        working = [threads.submit(work, thread) for thread in range(8)]
        generation = 2
        while not all(one.done() for one in working):
            shop.retract(generation)
            shop.publish(QueuePolicy("emails", jobs=EMAILS.jobs), generation + 1)
            generation += 2
        told = Counter(answer for one in working for answer in one.result())
    refused = told.pop("refused", 0)
    assert refused + len(told) == 8 * 150
    assert set(told.values()) == {1}
    assert {job.id for job in shop.operator().jobs(["waiting"])} == told.keys()
