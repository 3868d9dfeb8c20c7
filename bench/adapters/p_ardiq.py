import asyncio
import os

import tally
from ardiq import Ardiq

SETTINGS = {key: os.environ.get(f"ARDIQ_{key.upper()}") for key in ("result_ttl_ms", "idle_timeout_ms")}
options = {key: int(value) for key, value in SETTINGS.items() if value}
app = Ardiq(
    redis_url=os.environ["REDIS_URL"],
    queue_name="bench",
    concurrency=int(os.environ.get("CONCURRENCY", "16")),
    **options,
)


@app.task(name="noop")
async def noop(payload: dict) -> None:
    tally.hit()


@app.task(name="sleep")
async def sleep(payload: dict) -> None:
    await asyncio.sleep(0.01)
    tally.hit()


@app.task(name="lat")
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
        await app.enqueue_many([KINDS[kind].prepare(p) for p in payloads])
