"""A worker process for the tests, with the test as its supervisor, and the handlers that it runs."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pipeline.broker import parse
from pipeline.client import Client
from pipeline.plan import WorkerPlan
from pipeline.policy import JobPolicy, QueuePolicy, Timeout
from pipeline.store.call import Call, run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.reader import Counts, Reader
from pipeline.store.store import Store
from pipeline.worker.board import Board, Running

PATIENCE = 20.0
HANDLERS = """
import asyncio, os, time
from pathlib import Path

ROOT = Path(__file__).parent

def note(job):
    fd = os.open(ROOT / "ran", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{job.queue} {job.id}\\n".encode())
    os.close(fd)

def is_open(job):
    return not job.data or (ROOT / job.data).exists()

async def on_loop(job):
    note(job)
    while not is_open(job):
        await asyncio.sleep(0.005)

def in_thread(job):
    note(job)
    while not is_open(job):
        time.sleep(0.005)

async def stubborn(job):
    note(job)
    while not is_open(job):
        try:
            await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            pass
"""
Result = TypeVar("Result")


def eventually(look: Callable[[], Result], what: str) -> Result:
    """The first true answer of `look`."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < until, f"not within {PATIENCE} s: {what}"
        time.sleep(0.005)
    return found


def queue(name: str, handler: str, *, hard: int | None = None, **own: Any) -> QueuePolicy:
    """A queue whose jobs all go to one of the handlers above."""
    return QueuePolicy(name, others=JobPolicy(f"hands:{handler}", Timeout(hard=hard)), **own)


class Process:
    """A worker of these queues. A job whose data is a name runs until `open` is called with that name."""

    def __init__(self, root: Path, broker: str, *queues: QueuePolicy, **own: Any) -> None:
        self.root = root
        (root / "hands.py").write_text(HANDLERS)
        self.plan = WorkerPlan("w1", "shop", str(root), broker, queues, **own)
        self.boards = {policy.name: Board.create() for policy in queues}
        self._connection = connect_blocking(parse(broker))
        for policy in queues:
            self.ask(Store("shop", policy.name).publish(1, msgspec.json.encode(policy), ""))
        self._client = Client(broker, "shop")
        orders, self._down = os.pipe()
        self._up, events = os.pipe()
        inherited = (orders, events, *(board.fd for board in self.boards.values()))
        command = [sys.executable, "-m", "pipeline.worker.main", *map(str, inherited)]
        self.process = subprocess.Popen(command, pass_fds=inherited, stderr=subprocess.PIPE)
        os.close(orders)
        os.close(events)
        self._heard = b""
        self.code = ""
        self.tell(self.plan)

    def tell(self, order: Any) -> None:
        os.write(self._down, msgspec.json.encode(order) + b"\n")

    def apply(self, *policies: QueuePolicy, stop_timeout: int = 25_000) -> None:
        self.tell({"do": "policy", "queues": policies, "stop_timeout": stop_timeout})

    def hears(self, event: str) -> dict[str, Any]:
        """What the worker says next, which is this event; that it serves says it at its own time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._up, selectors.EVENT_READ)
            while b"\n" not in self._heard:
                assert selector.select(PATIENCE), f"no {event}"
                part = os.read(self._up, 65536)
                assert part, f"it ended without {event}"
                self._heard += part
        line, self._heard = self._heard.split(b"\n", 1)
        said: dict[str, Any] = msgspec.json.decode(line)
        if said["event"] == "serving" != event:
            return self.hears(event)
        assert said["event"] == event, said
        return said

    def ends(self) -> int:
        return self.process.wait(PATIENCE)

    def enqueue(self, queue: str, *gates: str | None) -> list[str]:
        """Jobs, one for each gate; their ids."""
        return [one.id for one in self._client.enqueue_many(queue, [("job", gate) for gate in gates])]

    def open(self, gate: str) -> None:
        (self.root / gate).touch()

    def ask(self, call: Call[Result]) -> Result:
        return run_blocking(self._connection, call)

    def counts(self, queue: str) -> Counts:
        return self.ask(Reader("shop", queue).counts())

    def completed(self, queue: str) -> int:
        return self.counts(queue).stats.get("completed", 0)

    def ran(self, queue: str) -> list[str]:
        """The ids of the jobs that have begun, in their order, again for each time."""
        path = self.root / "ran"
        lines = path.read_text().split("\n") if path.exists() else []
        return [line.split()[1] for line in lines if line.startswith(f"{queue} ")]

    def runs(self, queue: str, count: int) -> list[Running]:
        """Wait until so many jobs run at once."""
        board = self.boards[queue]
        eventually(lambda: len(board.running()) == count, f"{count} jobs of {queue} run")
        return board.running()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self._client.close()
        self._connection.close()
        os.close(self._down)
        os.close(self._up)
        for board in self.boards.values():
            board.close()
