import asyncio
import os

import tally
from bullmq import Queue, Worker

URL = os.environ["REDIS_URL"]
KEEP = {"removeOnComplete": {"count": 100}}


async def process(job, token):
    if job.name == "sleep":
        await asyncio.sleep(0.01)
    tally.hit(job.data.get("t"))


class Producer:
    async def __aenter__(self):
        self.queue = Queue("bench", {"connection": URL})
        return self

    async def __aexit__(self, *exc):
        await self.queue.close()

    async def add(self, kind, payload):
        await self.queue.add(kind, payload, KEEP)

    async def add_bulk(self, kind, payloads):
        await self.queue.addBulk([{"name": kind, "data": p, "opts": KEEP} for p in payloads])


async def run():
    Worker("bench", process, {"connection": URL, "concurrency": int(os.environ["CONCURRENCY"])})
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(run())
