"""What a client can reach at most on this machine: floor.py PORT SECONDS. Prints one JSON line a measure.

bare_evalsha   hiredis on a blocking socket, EVALSHA of `return 1`, one round trip after the other
bare_enqueue   the same loop with the script and the arguments of our own enqueue: what is left is the client
redis_evalsha  redis-py's blocking client with `return 1`, as a user would call a script
pool_evalsha   50 coroutines on redis-py's asyncio pool, the same script, on uvloop
"""

import asyncio
import json
import socket
import sys
import time

import hiredis
import redis
import redis.asyncio
import uvloop

from pipeline.job import encode_record
from pipeline.store.scripts import script
from pipeline.store.store import Store

PORT, SECONDS = int(sys.argv[1]), float(sys.argv[2])
COROUTINES = 50
SCRIPT = "return 1"
PAYLOAD = {"to": "user@example.com", "orderId": 12345}


def emit(measure, n, took):
    print(json.dumps({"measure": measure, "n": n, "seconds": took}))


def loop(measure, step):
    n, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < SECONDS:
        step(n)
        n += 1
    emit(measure, n, took)


def bare():
    connection = socket.create_connection(("127.0.0.1", PORT))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = hiredis.Reader()

    def call(*args):
        connection.sendall(hiredis.pack_command(args))
        while (reply := reader.gets()) is False:
            reader.feed(connection.recv(65536))
        return reply

    sha = call("SCRIPT", "LOAD", SCRIPT)
    call("SCRIPT", "LOAD", script("enqueue").source)
    store, record = Store("floor", "q"), encode_record(time.time_ns() // 1_000_000, "noop", PAYLOAD)
    loop("bare_evalsha", lambda _: call("EVALSHA", sha, "0"))
    loop("bare_enqueue", lambda n: call(*store.enqueue("floor", n, "", 0, [record]).command))
    client = redis.Redis(port=PORT)
    loop("redis_evalsha", lambda _: client.evalsha(sha, 0))
    client.close()


async def pool():
    client = redis.asyncio.Redis(port=PORT)
    sha = await client.script_load(SCRIPT)
    start = time.perf_counter()

    async def one():
        n = 0
        while time.perf_counter() - start < SECONDS:
            await client.evalsha(sha, 0)
            n += 1
        return n

    n = sum(await asyncio.gather(*(one() for _ in range(COROUTINES))))
    emit("pool_evalsha", n, time.perf_counter() - start)
    await client.aclose()


bare()
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(pool())
