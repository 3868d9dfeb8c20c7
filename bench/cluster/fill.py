"""A producer: `python -m bench.cluster.fill CONFIG QUEUE JOBS BATCH` enqueues so many jobs, so many in a call.

Says `ready` after the first call, goes on when it is told to on its standard input, and prints one line of JSON.
"""

import json
import sys
import time

from pipeline import Client

PAYLOAD = {"to": "user@example.com", "orderId": 1234567}


def main(config: str, queue: str, jobs: int, size: int) -> None:
    batch = [("noop", PAYLOAD)] * size
    with Client(config) as client:
        client.enqueue_many(queue, batch)
        print("ready", flush=True)
        sys.stdin.readline()
        begun = time.process_time()
        for _ in range(jobs // size - 1):
            if size == 1:
                client.enqueue(queue, "noop", PAYLOAD)
            else:
                client.enqueue_many(queue, batch)
    print(json.dumps({"jobs": jobs - size, "client": time.process_time() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
