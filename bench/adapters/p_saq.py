import asyncio
import os

import tally
import uvloop
from saq import Queue

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
queue = Queue.from_url(os.environ["REDIS_URL"])


async def noop(ctx, *, payload):
    tally.hit()


async def sleep(ctx, *, payload):
    await asyncio.sleep(0.01)
    tally.hit()


async def lat(ctx, *, payload):
    tally.hit(payload.get("t"))


settings = {
    "queue": queue,
    "functions": [noop, sleep, lat],
    "concurrency": int(os.environ.get("CONCURRENCY", "10")),
}


class Producer:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await queue.disconnect()

    async def add(self, kind, payload):
        await queue.enqueue(kind, payload=payload)
