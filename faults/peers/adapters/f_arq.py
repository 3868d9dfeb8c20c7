import os

import journal
from arq import create_pool
from arq.connections import RedisSettings
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, TimeoutError


async def work(ctx, payload):
    await journal.arun(payload)


def settings():
    return RedisSettings.from_dsn(os.environ["REDIS_URL"])


class WorkerSettings:
    functions = (work,)
    redis_settings = settings()
    redis_settings.retry_on_timeout = True
    redis_settings.retry_on_error = [ConnectionError, TimeoutError]
    redis_settings.retry = Retry(ExponentialBackoff(cap=2, base=0.1), 10)
    max_jobs = 4
    max_tries = 10
    job_timeout = 5


class Producer:
    async def __aenter__(self):
        self.pool = await create_pool(settings())
        return self

    async def __aexit__(self, *exc):
        await self.pool.aclose()

    async def add(self, payload):
        await self.pool.enqueue_job("work", payload)
