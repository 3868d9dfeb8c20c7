"""A shop that runs, for a browser to look at: a real supervisor on a real broker, jobs in every state."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline import Client
from pipeline.errors import PipelineError
from pipeline.passwords import hashed

HERE = Path(__file__).parent
PATIENCE = 60.0
USERS = ("alice", "olga", "victor")
HOSTILE = (
    '"><img src=x onerror="window.broken=1"><script>window.broken=1</script>',
    "javascript:window.broken=1",
    "{{constructor.constructor('window.broken=1')()}}${window.broken=1}",
    "\u202egnp.exe\u2028</pre></script><svg/onload=window.broken=1>",
)
T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true answer of `look`."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


class Shop:
    """A folder with the shop's file and handlers, and the supervisor that runs it. `prefix`: of every path, as "/queues"."""

    def __init__(self, root: Path, broker: str, prefix: str = "", text: str | None = None) -> None:
        self.root = root
        shutil.copytree(HERE / "shop", root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.file = root / "shop.yaml"
        written = text or self.file.read_text()
        if prefix:
            written = written.replace("http:\n", f"http:\n  path: {prefix}\n")
        self.file.write_text(written.replace("${BROKER}", broker))
        self._prefix = prefix
        self._output = root / "output"
        self._start()

    def _start(self) -> None:
        environment = {**os.environ, **{user.upper(): hashed(user) for user in USERS}}
        with self._output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "run", str(self.file), "--plain"],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            found = eventually(self._address, "the dashboard's address")
        except AssertionError:
            self._end()
            raise
        self.address = f"http://{found}"
        self.url = f"{self.address}{self._prefix}/"
        os.environ.update({user.upper(): environment[user.upper()] for user in USERS})
        self.client = Client(str(self.file))

    def _address(self) -> str | None:
        assert self.process.poll() is None, self.output
        found = re.findall(r"dashboard https?://([^/\s]+)", self.output)
        return str(found[-1]) if found else None

    @property
    def output(self) -> str:
        """What the supervisor printed."""
        return self._output.read_text()

    @property
    def token(self) -> str:
        """The token that was printed at the first start."""
        return str(re.findall(r"sign in with the token (\S+)", self.output)[-1])

    def web_pid(self) -> int:
        """The process that serves."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        [pid] = [
            child for child in children if b"pipeline.web.main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        return int(pid)

    def state(self, queue: str, id: str) -> str | None:
        """The state of a job, or None when there is none."""
        try:
            return self.client.job(queue, id).state
        except PipelineError:
            return None

    def comes(self, queue: str, id: str, state: str | None) -> None:
        """Wait until the job is in this state."""
        eventually(lambda: self.state(queue, id) == state, f"{queue} {id} is {state}")

    def stop(self) -> None:
        """End it at once, with what it started."""
        self.client.close()
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def fill(shop: Shop) -> None:
    """Jobs in every state, flows that completed, failed and run, lanes, and words that would break a careless page."""
    client = shop.client
    card = {"card": "4242 4242 4242", "amount": 999}
    for n in range(60):
        client.enqueue("payments", "capture", {"charge": f"ch_{n}", **card, "fate": "fine"})
    for n in range(12):
        client.enqueue("payments", "capture", {"charge": f"ch_b{n}", **card, "fate": "busy"}, id=f"busy-{n}")
    for n in range(5):
        client.enqueue(
            "payments", "capture", {"charge": f"ch_d{n}", **card, "fate": "declined"}, id=f"declined-{n}"
        )
    client.enqueue("payments", "refund", {"charge": "ch_r", **card, "fate": "busy"}, id="refund-1")
    for n in range(4):
        client.enqueue("mail.digest", "weekly", {"to": f"{n}@example.com"}, id=f"later-{n}", delay="3h")
    client.enqueue("mail.digest", "weekly", {"to": "x@example.com"}, id="withdrawn", delay="3h")
    client.cancel("mail.digest", "withdrawn")
    for n, words in enumerate(HOSTILE):
        client.enqueue("mail.receipts", "receipt", {"words": words, words[:40]: [words]}, id=f"hostile-{n}")
    for n in range(200):
        client.enqueue("mail.receipts", "receipt", {"order": n})
    for n in range(4):
        client.enqueue("reports", "monthly", {"month": n}, id=f"report-{n}")
    for n in range(9):
        client.enqueue("stock", "sync", {"sku": f"sku-{n % 3}"}, id=f"sync-{n}")
    for n in range(120):
        client.enqueue("archive", "store", {"n": n, "text": "x" * n}, id=f"archive-{n}")
    client.enqueue("archive", "store", {"text": "y" * 900_000, "number": 2**60}, id="large")
    client.start_flow("checkout", {"order": "ch_f1", "sku": "sku-8", "fate": "fine"}, id="fine")
    client.start_flow("checkout", {"order": "ch_f2", "sku": "sku-9", "fate": "declined"}, id="failed")
    client.start_flow("checkout", {"order": "ch_f3", "sku": "sku-0", "fate": "fine"}, id="waits")
    shop.comes("payments", "declined-4", "dead")
    shop.comes("payments", "busy-11", "dead")
    shop.comes("payments", "refund-1", "delayed")
    shop.comes("mail.receipts", f"hostile-{len(HOSTILE) - 1}", "dead")
    shop.comes("reports", "report-2", "active")
    eventually(lambda: client.flow("checkout:failed").state == "failed", "a flow fails")
