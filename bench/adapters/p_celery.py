import os
import time

import tally
from celery import Celery

app = Celery("p_celery", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_ignore_result=True,  # Celery's default without a result backend
    task_acks_late=True,  # at-least-once, as the others
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH", "4")),
    broker_connection_retry_on_startup=True,
)


@app.task
def noop(payload):
    tally.hit()


@app.task
def sleep(payload):
    time.sleep(0.01)
    tally.hit()


@app.task
def lat(payload):
    tally.hit(payload.get("t"))


KINDS = {"noop": noop, "sleep": sleep, "lat": lat}


class Producer:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def add(self, kind, payload):
        KINDS[kind].delay(payload)
