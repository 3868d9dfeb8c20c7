"""A flow of 10,000 steps (one, 9,998 at once, one) beside 10,000 plain jobs, on the same workers, by turns."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.bars.verdict import Given, Verdict, say
from pipeline import Client
from pipeline.errors import PipelineError
from pipeline.store.flows import FlowStore

ROUNDS = 9
STEPS = 10_000
MOST = 2.0
LOOK_SECONDS = 0.005
PATIENCE = 60.0
FILE = """
version: 1
name: bar
queues:
  work: {handler: "hands:work", concurrency: 100}
flows:
  wide:
    steps:
      begin: {queue: work, job: begin, data: {}}
      each: {queue: work, job: each, needs: [begin], for_each: "{data.items}"}
      end: {queue: work, job: end, needs: [each], data: {}}
"""
HANDS = "async def work(job):\n    return None\n"


def measure(given: Given) -> Verdict:
    """`rounds` of both, after one that does not count."""
    verdict = Verdict()
    plain, flows = list[float](), list[float]()
    with _running(given.folder) as client:
        for number in range((given.rounds or ROUNDS) + 1):
            pair = _timed(_plain, client), _timed(_flow, client)
            say(f"plain {pair[0]:.3f} s, flow {pair[1]:.3f} s")
            if number:
                plain.append(pair[0])
                flows.append(pair[1])
    verdict.spread("10,000 plain jobs, ms", plain)
    verdict.spread("a flow of 10,000 steps, ms", flows)
    verdict.tell("10,000 plain jobs, median", f"{statistics.median(plain):.3f} s")
    verdict.tell("a flow of 10,000 steps, median", f"{statistics.median(flows):.3f} s")
    ratio = statistics.median(flows) / statistics.median(plain)
    verdict.at_most("flow to plain", round(ratio, 2), MOST, " x")
    return verdict


def _timed(work: Callable[[Client], None], client: Client) -> float:
    begun = time.monotonic()
    work(client)
    return time.monotonic() - begun


def _plain(client: Client) -> None:
    """The last job of a queue that is worked off in order is the last to end, give or take what runs beside it."""
    accepted = client.enqueue_many("work", [("each", number) for number in range(STEPS)])
    _until(lambda: client.job("work", accepted[-1].id).finished_at)


def _flow(client: Client) -> None:
    flow = client.start_flow("wide", {"items": list(range(STEPS - 2))})
    # Only its state: the data would be sent, and read, with every look.
    state = FlowStore("bar", "wide").values(flow.id, ["state"])
    _until(lambda: client._call(state) == [b"completed"])  # noqa: SLF001 - no more than a look


def _until(holds: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("it does not end")
        time.sleep(LOOK_SECONDS)


@contextmanager
def _running(folder: Path) -> Iterator[Client]:
    """A supervisor with one worker, and a server of its own."""
    (folder / "configs").mkdir()
    file = folder / "configs" / "bar.yaml"
    file.write_text(FILE)
    (folder / "hands.py").write_text(HANDS)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "pipeline", "run", str(file), "--plain"]
    with (folder / "log").open("wb") as log:
        supervisor = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        with Client(file) as client:
            _wait_until_up(client)
            yield client
    finally:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(30)


def _wait_until_up(client: Client) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            client.wait("work", client.enqueue("work", "each").id, "10s")
        except PipelineError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
