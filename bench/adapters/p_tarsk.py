import asyncio
import os

import tally
from tarsk import App

# TARSK_TIMEOUT: bench/kill.py: a dead worker's lease lasts for the timeout and a grace.
limit = {
    k: float(os.environ["TARSK_TIMEOUT"])
    for k in ("default_timeout", "max_timeout")
    if "TARSK_TIMEOUT" in os.environ
}
app = App(broker=os.environ["REDIS_URL"], **limit)


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
        KINDS[kind].send(payload)
