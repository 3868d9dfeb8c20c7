"""As a script: a worker on uvloop (docket's own command runs on asyncio)."""

import asyncio
import logging
import os
from datetime import timedelta

import tally
from docket import Docket, Worker


async def noop(payload: dict) -> None:
    tally.hit()


async def sleep(payload: dict) -> None:
    await asyncio.sleep(0.01)
    tally.hit()


async def lat(payload: dict) -> None:
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


def make_docket():
    d = Docket(name="bench", url=os.environ["REDIS_URL"])
    for f in KINDS.values():
        d.register(f)
    return d


class Producer:
    async def __aenter__(self):
        self.docket = await make_docket().__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self.docket.__aexit__(*exc)

    async def add(self, kind, payload):
        await self.docket.add(KINDS[kind])(payload)

    async def add_bulk(self, kind, payloads):
        await self.docket.add_many([self.docket.call(KINDS[kind])(p) for p in payloads])


async def work():
    options = {
        "concurrency": int(os.environ["CONCURRENCY"]),
        "minimum_check_interval": timedelta(milliseconds=10),
    }
    async with make_docket() as docket, Worker(docket, **options) as worker:
        await worker.run_forever()


if __name__ == "__main__":
    import uvloop

    logging.basicConfig(level=logging.ERROR)
    uvloop.run(work())
