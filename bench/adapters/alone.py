"""One worker process of ours without a supervisor, to look into: alone.py ROOT CONCURRENCY [PROFILE].

ROOT is a project folder (bench/project). With PROFILE it runs under cProfile and writes the statistics to
that file when it gets SIGTERM. Nobody renews its lease, so it holds its jobs for an hour.
"""

import cProfile
import os
import signal
import sys

import msgspec

from pipeline.plan import WorkerPlan
from pipeline.policy import JobPolicy, QueuePolicy, Timeout
from pipeline.worker.board import Board
from pipeline.worker.main import main

HOUR = 3_600_000
KINDS = ("noop", "sleep", "lat")


def plan(root: str, concurrency: int) -> WorkerPlan:
    jobs = {kind: JobPolicy(handler=f"orders:{kind}", timeout=Timeout(hard=600_000)) for kind in KINDS}
    queue = QueuePolicy("bench", jobs, concurrency=concurrency)
    name = f"alone-{os.getpid()}"
    return WorkerPlan(name, "bench", root, os.environ["REDIS_URL"], (queue,), lease=HOUR)


def serve(root: str, concurrency: int) -> int:
    """Until SIGTERM: the worker's exit code."""
    orders, say = os.pipe()
    os.write(say, msgspec.json.encode(plan(root, concurrency)) + b"\n")
    signal.signal(signal.SIGTERM, lambda *_: os.write(say, b'{"do":"drain","timeout":1000}\n'))
    events = os.open(os.devnull, os.O_WRONLY)
    return main(orders, events, Board.create().fd)


def profiled(path: str, root: str, concurrency: int) -> int:
    profile = cProfile.Profile()
    code = profile.runcall(serve, root, concurrency)
    profile.dump_stats(path)
    return code


if __name__ == "__main__":
    root, concurrency, *path = sys.argv[1:]
    os._exit(profiled(path[0], root, int(concurrency)) if path else serve(root, int(concurrency)))
