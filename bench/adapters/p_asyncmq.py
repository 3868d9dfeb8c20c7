"""work() is a worker on uvloop (asyncmq's own command runs on asyncio)."""

import asyncio
import logging
import os

os.environ["ASYNCMQ_SETTINGS_MODULE"] = "p_asyncmq_settings.Settings"

import tally
from asyncmq.backends.redis import RedisBackend
from asyncmq.queues import Queue
from asyncmq.tasks import task

backend = RedisBackend(os.environ["REDIS_URL"])


@task(queue="bench")
async def noop(payload):
    tally.hit()


@task(queue="bench")
async def sleep(payload):
    await asyncio.sleep(0.01)
    tally.hit()


@task(queue="bench")
async def lat(payload):
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    async def __aenter__(self):
        self.queue = Queue("bench", backend=backend)
        return self

    async def __aexit__(self, *exc):
        pass

    async def add(self, kind, payload):
        await KINDS[kind].enqueue(payload, backend=backend)

    async def add_bulk(self, kind, payloads):
        t = KINDS[kind].task_id
        await self.queue.add_bulk([{"task_id": t, "args": [p]} for p in payloads])


def work():
    import anyio

    logging.disable(logging.WARNING)
    q = Queue("bench", backend=backend, concurrency=int(os.environ["CONCURRENCY"]))
    anyio.run(q.run, backend="asyncio", backend_options={"use_uvloop": True})
