import os

import journal
from huey import RedisHuey
from huey.signals import SIGNAL_INTERRUPTED

huey = RedisHuey("faults", url=os.environ["REDIS_URL"])


@huey.task(retries=10)
def work(payload):
    journal.run(payload)


@huey.signal(SIGNAL_INTERRUPTED)
def interrupted(signal, task, *args, **kwargs):
    huey.enqueue(task)


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, payload):
        work(payload)
