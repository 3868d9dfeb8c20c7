import os

import journal
from saq import Queue

queue = Queue.from_url(os.environ["REDIS_URL"])


async def work(ctx, *, payload):
    await journal.arun(payload)


settings = {"queue": queue, "functions": [work], "concurrency": 4, "timers": {"sweep": 2}}


class Producer:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await queue.disconnect()

    async def add(self, payload):
        await queue.enqueue("work", payload=payload, timeout=5, retries=10)
