import os
import time

import tally
from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["REDIS_URL"])


@huey.task()
def noop(payload):
    tally.hit()


@huey.task()
def sleep(payload):
    time.sleep(0.01)
    tally.hit()


@huey.task()
def lat(payload):
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, kind, payload):
        KINDS[kind](payload)
