import os

import dramatiq
import journal
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["REDIS_URL"], heartbeat_timeout=5000, maintenance_chance=1_000_000)
dramatiq.set_broker(broker)


@dramatiq.actor
def work(payload):
    journal.run(payload)


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, payload):
        work.send(payload)
