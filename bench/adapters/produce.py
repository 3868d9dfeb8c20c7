"""Enqueues, in the environment of a peer.

produce.py ADAPTER MODE KIND N SECONDS

MODE single  one job at a time, each awaited
     bulk    the peer's own bulk call, in batches of 100
     gather  50 coroutines on one client, each awaiting its own (only adapters that have an async client)
     fill    bulk where there is one, else single; SECONDS does not count
     lat     one job, wait until its handler ran, pause, repeat
     ids     as fill, but each job carries a number of its own (bench/kill.py)
Stops at N jobs or after SECONDS, whichever comes first. Prints one line of JSON: {"n", "seconds"}.
"""

import asyncio
import importlib
import inspect
import json
import os
import random
import sys
import time

import tally

PAYLOAD = {"to": "user@example.com", "orderId": 1234567}  # 43 bytes as compact JSON
RATES = ("single", "bulk", "gather")  # these count after a first job, which opens connections
BATCH = 100
COROUTINES = 50
GAP = float(os.environ.get("LAT_GAP", "0.008"))


def wait_until_ran(seen):
    """Until more than `seen` jobs ran: False after 5 s. Then a random pause, to hit every phase of a poll."""
    end = time.monotonic() + 5
    while tally.read(os.environ["TALLY_DIR"])[0] <= seen:
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    time.sleep(random.uniform(0.003, GAP))
    return True


def latency_steps(producer, kind, n, seconds):
    end = time.perf_counter() + seconds
    for _ in range(n):
        seen = tally.read(os.environ["TALLY_DIR"])[0]
        yield producer.add(kind, {**PAYLOAD, "t": time.monotonic_ns()}), 1
        if not wait_until_ran(seen) or time.perf_counter() > end:
            return


def steps(producer, mode, kind, n, seconds):
    """Yields what add() or add_bulk() returned, and how many jobs it was."""
    filling = mode in ("fill", "ids")
    bulk = mode == "bulk" or (filling and hasattr(producer, "add_bulk"))
    end = time.perf_counter() + seconds
    done = 0
    while done < n and (filling or time.perf_counter() < end):
        k = min(BATCH if bulk else 1, n - done)
        payloads = [{**PAYLOAD, "t": done + i} if mode == "ids" else PAYLOAD for i in range(k)]
        yield (producer.add_bulk(kind, payloads) if bulk else producer.add(kind, payloads[0])), k
        done += k


async def gather(producer, kind, n, seconds):
    """COROUTINES at once on one client: how many jobs they enqueued."""
    end = time.perf_counter() + seconds

    async def one():
        done = 0
        while done < n // COROUTINES and time.perf_counter() < end:
            await producer.add(kind, PAYLOAD)
            done += 1
        return done

    return sum(await asyncio.gather(*(one() for _ in range(COROUTINES))))


async def drive_async(make, mode, *args):
    async with make() as producer:
        if mode in RATES:
            await producer.add(args[0], PAYLOAD)
        start = time.perf_counter()
        if mode == "gather":
            total = await gather(producer, *args)
        else:
            total = 0
            for awaitable, k in (
                latency_steps(producer, *args) if mode == "lat" else steps(producer, mode, *args)
            ):
                await awaitable
                total += k
        return total, time.perf_counter() - start


def drive_sync(make, mode, *args):
    with make() as producer:
        if mode in RATES:
            producer.add(args[0], PAYLOAD)
        start, total = time.perf_counter(), 0
        for _, k in latency_steps(producer, *args) if mode == "lat" else steps(producer, mode, *args):
            total += k
        return total, time.perf_counter() - start


def on_loop(coroutine):
    """On uvloop where the peer's environment has it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(coroutine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def main():
    name, mode, kind, n, seconds = sys.argv[1:]
    module = importlib.import_module(name)
    make = module.AsyncProducer if mode == "gather" else module.Producer
    if mode == "bulk" and not hasattr(make, "add_bulk"):
        total, took = 0, 0.0
    elif inspect.iscoroutinefunction(make.add):
        total, took = on_loop(drive_async(make, mode, kind, int(n), float(seconds)))
    else:
        total, took = drive_sync(make, mode, kind, int(n), float(seconds))
    print(json.dumps({"n": total, "seconds": took}))


main()
