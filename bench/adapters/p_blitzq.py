import asyncio
import os

import tally
from blitzq import Queue

queue = Queue(
    "bench",
    os.environ["REDIS_URL"],
    mode=os.environ.get("BLITZQ_MODE", "reliable"),
    store_results=os.environ.get("BLITZQ_RESULTS", "1") == "1",
    visibility_timeout=float(os.environ.get("BLITZQ_VISIBILITY", "60")),
)


@queue.task(name="noop")
async def noop(payload: dict) -> None:
    tally.hit()


@queue.task(name="sleep")
async def sleep(payload: dict) -> None:
    await asyncio.sleep(0.01)
    tally.hit()


@queue.task(name="lat")
async def lat(payload: dict) -> None:
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        pass

    async def add(self, kind, payload):
        await KINDS[kind].enqueue(payload)

    async def add_bulk(self, kind, payloads):
        await KINDS[kind].enqueue_many([(p,) for p in payloads])
