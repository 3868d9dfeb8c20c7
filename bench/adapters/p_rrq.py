import asyncio
import os

import tally
from rrq.client import RRQClient
from rrq.registry import Registry
from rrq.runner_settings import PythonRunnerSettings


async def noop(request):
    tally.hit()


async def sleep(request):
    await asyncio.sleep(0.01)
    tally.hit()


async def lat(request):
    tally.hit(request.params.get("t"))


registry = Registry()
for f in (noop, sleep, lat):
    registry.register(f.__name__, f)
settings = PythonRunnerSettings(registry=registry)


class Producer:
    async def __aenter__(self):
        self.client = RRQClient(config_path=os.environ["RRQ_CONFIG"])
        return self

    async def __aexit__(self, *exc):
        await self.client.close()

    async def add(self, kind, payload):
        await self.client.enqueue(kind, {"params": payload})
