import asyncio
import os

import tally
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(os.environ["REDIS_URL"], consumer_id="0")


@broker.task(task_name="noop")
async def noop(payload: dict) -> None:
    tally.hit()


@broker.task(task_name="sleep")
async def sleep(payload: dict) -> None:
    await asyncio.sleep(0.01)
    tally.hit()


@broker.task(task_name="lat")
async def lat(payload: dict) -> None:
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    async def __aenter__(self):
        await broker.startup()
        return self

    async def __aexit__(self, *exc):
        await broker.shutdown()

    async def add(self, kind, payload):
        await KINDS[kind].kiq(payload)
