import asyncio
import os
import time

import tally
from mayu import App

app = App(broker=os.environ["REDIS_URL"], default_queue="bench")

if os.environ.get("MAYU_SYNC") == "1":

    @app.task(name="noop")
    def noop(payload):
        tally.hit()

    @app.task(name="sleep")
    def sleep(payload):
        time.sleep(0.01)
        tally.hit()

    @app.task(name="lat")
    def lat(payload):
        tally.hit(payload.get("t"))
else:

    @app.task(name="noop")
    async def noop(payload):
        tally.hit()

    @app.task(name="sleep")
    async def sleep(payload):
        await asyncio.sleep(0.01)
        tally.hit()

    @app.task(name="lat")
    async def lat(payload):
        tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, kind, payload):
        KINDS[kind].delay(payload)
