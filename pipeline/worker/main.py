"""The worker process: `python -m pipeline.worker.main IN OUT BOARD...`, inherited descriptors.

Its WorkerPlan comes down IN as a line of JSON, then the supervisor's orders; what the supervisor must know goes
up OUT; there is a BOARD for each of its queues. It exits 0 when it was told to, 78 when it cannot start, and 75
when its jobs were reclaimed.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

import msgspec

from pipeline.errors import CANNOT_START, StartError
from pipeline.lifespan import Lifespan
from pipeline.log import configure
from pipeline.plan import WorkerPlan
from pipeline.telemetry.switch import begin
from pipeline.worker.attempt import Handlers
from pipeline.worker.board import Board
from pipeline.worker.boot import new_loop, reason_of, spare_the_collector
from pipeline.worker.code import code_version
from pipeline.worker.pipes import Start, Up, first_line, follow
from pipeline.worker.surround import surroundings
from pipeline.worker.worker import Worker


def prepare(plan: WorkerPlan, lifespan: Lifespan) -> list[Handlers]:
    """Import the user's code, for each queue. Raises whatever that raises."""
    sys.path.insert(0, plan.root)
    lifespan.begin()
    within = surroundings(plan.worker, json_logs=plan.json_logs)
    return [Handlers(policy, within) for policy in plan.queues]


async def serve(
    plan: WorkerPlan, queues: list[Handlers], boards: list[Board], orders: int, start: Start, up: Up
) -> int:
    """Work until told to stop: the exit code."""
    worker = Worker(plan, queues, boards, up.tell)
    await follow(orders, start, worker.obey)
    try:
        await worker.loaded()
    except StartError as error:
        up.tell("failed", **reason_of(error))
        return CANNOT_START
    spare_the_collector()
    up.tell("ready", code=code_version(plan.root))
    code = await worker.serve()
    await worker.close()
    return code


def main(orders: int, events: int, *boards: int) -> int:
    """Start, or say why not. The exit code."""
    # Ctrl-C reaches the supervisor, which stays in charge; a terminal's other signals do too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    up = Up(events)
    start = first_line(orders)
    plan = msgspec.json.decode(start.line, type=WorkerPlan)
    configure(json=plan.json_logs)
    loop = new_loop()
    # Where every handler has a process of its own, setup is called there, and nothing of the user's here.
    here = any(policy.executor != "process" for policy in plan.queues)
    lifespan = Lifespan(loop, plan.setup if here else None)
    code = CANNOT_START
    try:
        queues = prepare(plan, lifespan)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit too
        up.tell("failed", **reason_of(error))
    else:
        flush = begin(plan.project, plan.worker) if here else None
        code = loop.run_until_complete(serve(plan, queues, [Board(fd) for fd in boards], orders, start, up))
        if flush is not None:
            flush()
    lifespan.end(plan.stop_timeout, code)
    return code


if __name__ == "__main__":
    code = main(*map(int, sys.argv[1:]))
    logging.shutdown()
    sys.stdout.flush()
    # Threads of handlers that do not end must not keep the process.
    os._exit(code)
