import os

import journal
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(
    os.environ["REDIS_URL"],
    consumer_id="0",
    idle_timeout=5000,
    unacknowledged_lock_timeout=5,
    xread_count=1,
)


@broker.task(task_name="work")
async def work(payload: dict) -> None:
    await journal.arun(payload)


class Producer:
    async def __aenter__(self):
        await broker.startup()
        return self

    async def __aexit__(self, *exc):
        await broker.shutdown()

    async def add(self, payload):
        await work.kiq(payload)
