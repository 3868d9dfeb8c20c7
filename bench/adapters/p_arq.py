import asyncio
import os

import tally
import uvloop
from arq import create_pool
from arq.connections import RedisSettings

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


async def noop(ctx, payload):
    tally.hit()


async def sleep(ctx, payload):
    await asyncio.sleep(0.01)
    tally.hit()


async def lat(ctx, payload):
    tally.hit(payload.get("t"))


class WorkerSettings:
    functions = (noop, sleep, lat)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = int(os.environ.get("CONCURRENCY", "10"))
    if os.environ.get("ARQ_TUNED"):
        poll_delay = 0.01
        queue_read_limit = 1000


class Producer:
    async def __aenter__(self):
        self.pool = await create_pool(WorkerSettings.redis_settings)
        return self

    async def __aexit__(self, *exc):
        await self.pool.aclose()

    async def add(self, kind, payload):
        await self.pool.enqueue_job(kind, payload)
