import os

import journal
from streaq import Worker

worker = Worker(redis_url=os.environ["REDIS_URL"], concurrency=4, idle_timeout=5)


@worker.task(name="work", max_tries=10, silent=True)
async def work(payload: dict) -> None:
    await journal.arun(payload)


class Producer:
    async def __aenter__(self):
        self.context = worker.__asynccontextmanager__()
        await self.context.__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self.context.__aexit__(*exc)

    async def add(self, payload):
        await work.enqueue(payload)
