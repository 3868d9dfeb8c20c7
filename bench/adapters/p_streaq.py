import asyncio
import os

import tally
from streaq import Worker

worker = Worker(
    redis_url=os.environ["REDIS_URL"],
    concurrency=int(os.environ.get("CONCURRENCY", "16")),
    anyio_kwargs={"use_uvloop": True},
)


@worker.task(name="noop", silent=True)  # silent: no two log lines a task
async def noop(payload: dict) -> None:
    tally.hit()


@worker.task(name="sleep", silent=True)
async def sleep(payload: dict) -> None:
    await asyncio.sleep(0.01)
    tally.hit()


@worker.task(name="lat", silent=True)
async def lat(payload: dict) -> None:
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    async def __aenter__(self):
        self.cm = worker.__asynccontextmanager__()
        await self.cm.__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self.cm.__aexit__(*exc)

    async def add(self, kind, payload):
        await KINDS[kind].enqueue(payload)

    async def add_bulk(self, kind, payloads):
        await worker.enqueue_many([KINDS[kind].enqueue(p) for p in payloads])
