"""The worker process: `python -m pipeline.worker.main IN OUT BOARD...`, inherited descriptors.

Its WorkerPlan comes down IN as a line of JSON, then the supervisor's orders; what the supervisor must know goes
up OUT; there is a BOARD for each of its queues. It exits 0 when it was told to, 78 when it cannot start, and 75
when its jobs were reclaimed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.errors import CANNOT_START, StartError
from pipeline.lifespan import Lifespan
from pipeline.log import configure
from pipeline.plan import WorkerPlan
from pipeline.worker.attempt import Handlers
from pipeline.worker.board import Board
from pipeline.worker.boot import new_loop, reason_of, spare_the_collector
from pipeline.worker.code import code_version
from pipeline.worker.worker import Worker


class Orders(asyncio.Protocol):
    """What the supervisor says. Its silence for good means that it is gone: then so are we."""

    def __init__(self, obey: Callable[[dict[str, Any]], None]) -> None:
        self._obey = obey
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._obey(msgspec.json.decode(line))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        os._exit(1)


class Up:
    """The pipe to the supervisor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def tell(self, event: str, **facts: Any) -> None:
        os.write(self._fd, msgspec.json.encode({"event": event, **facts}) + b"\n")


def prepare(plan: WorkerPlan, lifespan: Lifespan) -> list[Handlers]:
    """Import the user's code, for each queue. Raises whatever that raises."""
    sys.path.insert(0, plan.root)
    lifespan.begin()
    return [Handlers(policy) for policy in plan.queues]


async def serve(plan: WorkerPlan, queues: list[Handlers], boards: list[Board], orders: int, up: Up) -> int:
    """Work until told to stop: the exit code."""
    worker = Worker(plan, queues, boards, up.tell)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: Orders(worker.obey), os.fdopen(orders, "rb", buffering=0))
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
    plan = msgspec.json.decode(_line(orders), type=WorkerPlan)
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
        code = loop.run_until_complete(serve(plan, queues, [Board(fd) for fd in boards], orders, up))
    lifespan.end(plan.stop_timeout, code)
    return code


def _line(fd: int) -> bytes:
    """Read one line and no byte more: what follows belongs to the loop."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte:
            os._exit(1)
        line += byte
    return bytes(line)


if __name__ == "__main__":
    code = main(*map(int, sys.argv[1:]))
    logging.shutdown()
    sys.stdout.flush()
    # Threads of handlers that do not end must not keep the process.
    os._exit(code)
