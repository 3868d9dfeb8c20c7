"""Enqueues in the environment of a peer: produce.py ADAPTER COUNT PER_SECOND SECONDS_OF_A_JOB.

PER_SECOND 0 is as fast as it goes. What a call raises is noted and not tried again: the peer's own client has
done what it does by default.
"""

import asyncio
import importlib
import inspect
import sys
import time

import journal


def due(count, per_second, started):
    """Each number, when it is due; the pause before it is the caller's."""
    for number in range(count):
        yield number, (max(0.0, started + number / per_second - time.monotonic()) if per_second else 0.0)


def failed(number, error):
    journal.note("error", number, type(error).__name__)


async def produce_async(make, count, per_second, seconds):
    async with make() as producer:
        for number, pause in due(count, per_second, time.monotonic()):
            await asyncio.sleep(pause)
            journal.note("try", number)
            try:
                await producer.add(journal.payload(number, seconds))
            except Exception as error:
                failed(number, error)
            else:
                journal.note("ack", number)


def produce(make, count, per_second, seconds):
    with make() as producer:
        for number, pause in due(count, per_second, time.monotonic()):
            time.sleep(pause)
            journal.note("try", number)
            try:
                producer.add(journal.payload(number, seconds))
            except Exception as error:
                failed(number, error)
            else:
                journal.note("ack", number)


def main():
    name, count, per_second, seconds = sys.argv[1:]
    make = importlib.import_module(name).Producer
    given = (make, int(count), float(per_second), float(seconds))
    if inspect.iscoroutinefunction(make.add):
        asyncio.run(produce_async(*given))
    else:
        produce(*given)


main()
