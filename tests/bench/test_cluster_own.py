"""The benchmark against a broker that others use."""

from __future__ import annotations

from contextlib import closing

from bench.cluster.own import delete
from pipeline.broker import parse
from pipeline.store.connect import connect_blocking
from tests.acl import as_admin


async def test_what_is_left_of_one_project_is_deleted_and_nothing_else(broker: str) -> None:
    everything = as_admin(broker)
    with closing(connect_blocking(parse(everything))) as connection:
        mine, others = (
            ["{b-1}:queues", "{b-1:q0}:jobs"],
            ["b-1", "{b-10}:queues", "{b-10:q0}:jobs", "{shop:q0}:jobs"],
        )
        for key in (*mine, *others):
            connection.call(("SET", key, "x"))
        await delete(everything, "b-1")
        assert sorted(connection.call(("KEYS", "*"))) == sorted(key.encode() for key in others)
