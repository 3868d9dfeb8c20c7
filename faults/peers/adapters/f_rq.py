import os

import journal
from redis import Redis
from rq import Queue, Retry

queue = Queue("work", connection=Redis.from_url(os.environ["REDIS_URL"]))


def work(payload):
    journal.run(payload)


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, payload):
        queue.enqueue(work, payload, retry=Retry(max=10))
