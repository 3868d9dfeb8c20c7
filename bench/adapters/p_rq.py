import os
import sys
import time

import tally
from redis import Redis
from rq import Queue, SimpleWorker, Worker

conn = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue("bench", connection=conn)


def noop(payload):
    tally.hit()


def sleep(payload):
    time.sleep(0.01)
    tally.hit()


def lat(payload):
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, kind, payload):
        queue.enqueue(KINDS[kind], payload)

    def add_bulk(self, kind, payloads):
        queue.enqueue_many([Queue.prepare_data(KINDS[kind], (p,)) for p in payloads])


def run():
    cls = Worker if os.environ.get("RQ_WORKER") == "fork" else SimpleWorker
    cls([queue], connection=conn).work(logging_level="ERROR")


if __name__ == "__main__":
    sys.modules["p_rq"] = sys.modules["__main__"]  # so that handlers are loaded once
    for f in KINDS.values():
        f.__module__ = "p_rq"
    run()
