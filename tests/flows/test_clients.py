"""Producers begin and follow flows: with a file before anything ran, from a loop, and beside an edit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline import AsyncClient, Client
from pipeline.errors import FlowNotFound, QueueRemoved, UnknownFlow, WrongState
from pipeline.store.call import run_blocking
from pipeline.store.store import Store
from tests.flows.field import Field

FILE = """
version: 1
name: shop
broker: {url: "%s"}
queues:
  stock: {handler: "m:f"}
flows:
  own:
    steps:
      a: {queue: stock, job: a}
"""


def test_a_client_with_the_file_begins_a_flow_before_any_supervisor_ran(broker: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FILE % broker)
    with Client(file) as client:
        started = client.start_flow("own", {"x": 1}, id="order-17")
        assert (started.id, started.status) == ("own:order-17", "created")
        assert client.start_flow("own", id="order-17").status == "duplicate"
        flow = client.flow("own:order-17")
        assert (flow.state, flow.data, flow.steps[0].state) == ("running", {"x": 1}, "running")
        assert client.job("stock", flow.steps[0].ids[0]).data == {"x": 1}
        with pytest.raises(UnknownFlow, match="there is no flow 'owm'") as refused:
            client.start_flow("owm")
        assert refused.value.help == "did you mean 'own'?"


def test_a_client_of_a_loop_does_the_same(field: Field, broker: str) -> None:
    async def work() -> None:
        async with AsyncClient(broker, "shop") as client:
            started = await asyncio.gather(*(client.start_flow("checkout", {"items": []}) for _ in range(20)))
            assert len({one.id for one in started}) == 20
            id = started[0].id
            assert await client.cancel_flow(id) == "running"
            assert (await client.flow(id)).state == "cancelled"
            await client.retry_flow(id)
            assert (await client.flow(id)).state == "running"
            with pytest.raises(WrongState):
                await client.retry_flow(id)
            with pytest.raises(FlowNotFound):
                await client.flow("checkout:none")

    asyncio.run(work())


def test_a_newer_policy_of_a_queue_reaches_flows_too(field: Field) -> None:
    id = field.start({"items": []})
    for queue in ("stock", "money"):
        call = Store("shop", queue).publish(2, b'{"name":"%s","others":{}}' % queue.encode(), "")
        run_blocking(field.connection, call)
    field.done(id, "reserve", result={"id": 7})
    assert f"{id}:charge" in field.jobs()


def test_a_step_whose_queue_was_removed_fails(field: Field) -> None:
    id = field.start({"items": []})
    run_blocking(field.connection, Store("shop", "money").retract(2))
    field.done(id, "reserve", result={"id": 7})
    (charge,) = (step for step in field.show(id).steps if step.name == "charge")
    assert charge.error is not None
    assert (charge.state, charge.error.type) == ("failed", QueueRemoved.__name__)
