"""As a script: a threaded worker."""

import logging
import os
import time

import tally
from broccoli.core.task.task import Task
from broccoli.core.task.task_queue import TaskQueue

URL = os.environ["REDIS_URL"]


class Producer:
    def __enter__(self):
        self.queue = TaskQueue(redis_url=URL)
        return self

    def __exit__(self, *exc):
        pass

    def add(self, kind, payload):
        self.queue.push(Task(task_type=kind, payload=payload), priority=1)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    from broccoli.workers.threaded_worker import ThreadedWorker

    worker = ThreadedWorker(redis_url=URL, max_workers=int(os.environ["CONCURRENCY"]))

    @worker.registry.register("noop")
    def noop(payload):
        tally.hit()

    @worker.registry.register("sleep")
    def sleep(payload):
        time.sleep(0.01)
        tally.hit()

    @worker.registry.register("lat")
    def lat(payload):
        tally.hit(payload.get("t"))

    worker.start()
