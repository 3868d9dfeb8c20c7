"""What the soak looks at while it lasts."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

from bench.proc import resident
from faults.bars import audit
from faults.broker import Broker
from faults.checker import Loss
from faults.shop import Shop, Supervisor
from pipeline.errors import BrokerError

SAMPLE_SECONDS = 5.0
OVERSLEPT = "the leases are over, so its workers are killed"


class Sampler(threading.Thread):
    """Looks each 5 s: memory and files of the processes, keys and memory of the broker, and what was completed.

    `standstills` is how often the supervisor found that it had overslept its leases, which is the machine's doing, and
    `losses` are the workers that it ended then.
    """

    def __init__(self, shop: Shop, broker: Broker, ends: audit.Ends, path: Path) -> None:
        super().__init__(daemon=True)
        self._shop, self._broker, self._ends = shop, broker, ends
        self._path = path
        self._over = threading.Event()
        self.samples: list[dict[str, Any]] = []
        self.standstills = 0
        self.losses: list[Loss] = []
        self._told: dict[int, int] = {}
        self._before: tuple[float, list[int]] = (0.0, [])

    def run(self) -> None:
        with self._path.open("w") as file:
            for n in itertools.count():
                if self._over.wait(0 if n == 0 else SAMPLE_SECONDS):
                    return
                self.samples.append(self._sample())
                file.write(json.dumps(self.samples[-1]) + "\n")
                file.flush()

    def _sample(self) -> dict[str, Any]:
        supervisor = self._shop.supervisors[-1]
        pid, below = supervisor.pid, supervisor.workers()
        self._note_standstills(supervisor, below)
        found: dict[str, Any] = {
            "at": time.monotonic(),
            "supervisor": {"pid": pid, "rss": resident(pid), "fds": _files(pid)},
            "workers": [{"pid": one, "rss": resident(one), "fds": _files(one)} for one in below],
        }
        with contextlib.suppress(BrokerError):
            self._ends.look()
            counts = audit.counts(self._broker)
            found["broker"] = {
                "keys": self._broker.call("DBSIZE"),
                "used": int(self._broker.info("memory")["used_memory"]),
            }
            found["jobs"] = {"waiting": counts.waiting, "active": counts.active, "delayed": counts.delayed}
        return found

    def _note_standstills(self, supervisor: Supervisor, workers: list[int]) -> None:
        now, (since, before) = time.monotonic(), self._before
        told = supervisor.output.count(OVERSLEPT)
        if new := told - self._told.get(supervisor.pid, 0):
            self.standstills += new
            self.losses += [Loss(pid, since, now, OVERSLEPT) for pid in before if pid not in workers]
        self._told[supervisor.pid] = told
        self._before = (now, workers)

    def finish(self) -> None:
        self._over.set()
        self.join()


def _files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0
