"""The broker alone: `python -m bench.cluster.bare URL PROJECT BATCHES QUEUE...` sends enqueue calls that were made beforehand.

That costs so little on this side that the broker is what limits. Some calls are under way at any time, on one connection a
queue. Says `ready`, begins when it is told to on its standard input, and prints one line of JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import uvloop

from bench.cluster.fill import PAYLOAD
from pipeline.broker import parse
from pipeline.job import encode_record
from pipeline.store.connect import connect
from pipeline.store.store import Store
from pipeline.store.wire import Command, Connection, checked

BATCH, UNDER_WAY = 100, 4


def calls(project: str, queue: str, count: int) -> list[Command]:
    """Commands as a producer of ours sends them."""
    store, record = Store(project, queue), encode_record(time.time_ns() // 1_000_000, "noop", PAYLOAD)
    return [store.enqueue("bare", number, "", 0, [record] * BATCH).command for number in range(1, count + 1)]


async def send(connection: Connection, commands: Iterator[Command]) -> None:
    """One call after the other."""
    for command in commands:
        checked(await connection.post(command))


async def run(url: str, project: str, batches: int, queues: list[str]) -> float:
    """Seconds of CPU that sending took."""
    connection = await connect(parse(url))
    lines = [iter(calls(project, queue, batches + 1)) for queue in queues]
    for line in lines:
        checked(
            await connection.post(next(line))
        )  # a script that a node does not know yet would change their order
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.process_time()
    await asyncio.gather(*(send(connection, line) for line in lines for _ in range(UNDER_WAY)))
    took = time.process_time() - begun
    connection.close()
    return took


def main(url: str, project: str, batches: int, queues: list[str]) -> None:
    took = uvloop.run(run(url, project, batches, queues))
    print(json.dumps({"jobs": batches * BATCH * len(queues), "client": took}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
