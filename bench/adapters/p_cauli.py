import asyncio
import os

import tally
from cauli import Cauli

app = Cauli(redis_url=os.environ["REDIS_URL"], default_queue="bench")
OPTIONS = {"store_result": os.environ.get("CAULI_RESULTS", "1") == "1"}
if "CAULI_TIMEOUT" in os.environ:  # bench/kill.py: a dead worker's job is claimed no sooner than its timeout
    OPTIONS["timeout"] = float(os.environ["CAULI_TIMEOUT"])


@app.task(name="noop", **OPTIONS)
async def noop(payload):
    tally.hit()


@app.task(name="sleep", **OPTIONS)
async def sleep(payload):
    await asyncio.sleep(0.01)
    tally.hit()


@app.task(name="lat", **OPTIONS)
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

    def add_bulk(self, kind, payloads):
        app.enqueue_many([(KINDS[kind], (p,)) for p in payloads])
