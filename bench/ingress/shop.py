"""The processes: the world outside, the shop with the work inline, and ours with the work queued."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.ingress.events import KEY
from bench.ours import pipeline

GATEWAY, MAIL = (0.300, 0.100), (0.150, 0.0)
CONFIG = """\
version: 1
name: shop
http: {listen: 127.0.0.1:0, ingress: 127.0.0.1:0}
secrets: {stripe: {env: STRIPE_WEBHOOK_SECRET}}
queues:
  payments: {handler: "work:handle", executor: thread, concurrency: 20, retention: {completed: {count: 0}}}
  kept: {handler: null}
webhooks:
  stripe: {path: /hooks/stripe, verify: {type: stripe, secret: {secret: stripe}}, queue: payments, job: capture}
  alone: {path: /hooks/alone, verify: {type: stripe, secret: {secret: stripe}}, queue: kept, job: capture}
"""
PATIENCE = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def process(*command: str, until: str | None = None, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has said `until`, if that is given, and that is ended with the block."""
    env, out = {**os.environ, **environment}, subprocess.DEVNULL if until is None else subprocess.PIPE
    with subprocess.Popen(
        command, env=env, stdout=out, stderr=out if until is None else None, text=True
    ) as running:
        try:
            while until is not None and running.stdout is not None:
                line = running.stdout.readline()
                if not line:
                    raise RuntimeError(f"{command} ended")
                if until in line:
                    break
            yield running
        finally:
            running.terminate()


@contextmanager
def outside() -> Iterator[dict[str, str]]:
    """A gateway and a mail server: where they are, for those who call them."""
    ports = (free_port(), free_port())
    module = (sys.executable, "-m", "bench.ingress.outside")
    first = [*module, str(ports[0]), *map(str, GATEWAY)]
    second = [*module, str(ports[1]), *map(str, MAIL)]
    with process(*first, until="serving"), process(*second, until="serving"):
        yield {"BENCH_GATEWAY": f"127.0.0.1:{ports[0]}", "BENCH_MAIL": f"127.0.0.1:{ports[1]}"}


@contextmanager
def inline(workers: int, environment: dict[str, str]) -> Iterator[str]:
    """The shop with the work inline: its address."""
    port = free_port()
    command = (sys.executable, "-m", "bench.ingress.inline", str(port), str(workers))
    with process(*command, until="serving", **environment):
        yield f"127.0.0.1:{port}"


class Queued:
    """The shop with the work queued: `pipeline run` on a project of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        web = self._wait()
        self.address, self.pid = str(web["ingress"]), int(web["pid"])

    def status(self) -> dict[str, Any]:
        done = subprocess.run(pipeline("status", "--json"), cwd=self.root, capture_output=True, check=False)
        return dict(json.loads(done.stdout or b"{}"))

    def _wait(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for one in self.status().get("supervisors", []):
                if one.get("web") and one["web"]["state"] == "serving":
                    return dict(one["web"])
            time.sleep(0.1)
        raise RuntimeError("pipeline run serves no webhooks")

    def left(self) -> int:
        """How many jobs wait or run."""
        queue = self.status()["queues"]["payments"]
        return int(queue["waiting"] + queue["active"] + queue["delayed"])

    def drained(self) -> float:
        """Seconds until no job is left."""
        begun = time.monotonic()
        while self.left():
            time.sleep(0.1)
        return time.monotonic() - begun


@contextmanager
def queued(environment: dict[str, str]) -> Iterator[Queued]:
    """The shop with the work queued, in a folder of its own, on the embedded broker."""
    root = Path(tempfile.mkdtemp(prefix="pq-"))
    (root / "pipeline.yaml").write_text(CONFIG)
    shutil.copy(Path(__file__).with_name("work.py"), root)
    secret = {"STRIPE_WEBHOOK_SECRET": KEY, **environment}
    os.environ.update(secret)
    before = Path.cwd()
    try:
        os.chdir(root)
        with process(*pipeline("run", "--plain")) as running:
            os.chdir(before)
            yield Queued(root)
            running.terminate()
            running.wait(PATIENCE)
    finally:
        os.chdir(before)
        shutil.rmtree(root)
