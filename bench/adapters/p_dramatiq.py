import os
import time

import dramatiq
import tally
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["REDIS_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(payload):
    tally.hit()


@dramatiq.actor
def sleep(payload):
    time.sleep(0.01)
    tally.hit()


@dramatiq.actor
def lat(payload):
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, kind, payload):
        KINDS[kind].send(payload)
