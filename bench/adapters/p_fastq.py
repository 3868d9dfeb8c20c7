"""FastQ has no task registry: a job is JSON text, and the handler is picked here. As a script: a worker."""

import json
import os
import time
from urllib.parse import urlparse

import fastq
import tally

url = urlparse(os.environ["REDIS_URL"])
fastq.set_log_level(3)


def make_queue():
    return fastq.Queue("bench", url.hostname, url.port)


def handle(job):
    payload = job["payload"] if isinstance(job, dict) else job
    kind, data = json.loads(payload)
    if kind == "sleep":
        time.sleep(0.01)
    tally.hit(data.get("t"))
    return 0


class Producer:
    def __enter__(self):
        self.queue = make_queue()
        return self

    def __exit__(self, *exc):
        pass

    def add(self, kind, payload):
        self.queue.push(json.dumps([kind, payload]))


if __name__ == "__main__":
    fastq.Worker(
        make_queue(), handle, int(os.environ.get("FASTQ_THREADS") or os.environ["CONCURRENCY"])
    ).start()
