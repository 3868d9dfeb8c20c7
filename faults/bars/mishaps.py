"""The faults of the soak, each as a method; which comes next is drawn by the seed."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from faults.bars.load import Producer, plain
from faults.broker import Broker
from faults.checker import Loss
from faults.processes import eventually, is_gone, send
from faults.shop import Shop, Supervisor
from pipeline.control import running_plan

WORKER_FROZEN_SECONDS, BROKER_FROZEN_SECONDS, BROKER_AWAY_SECONDS = 10, 8, 1
BURST, SLOTS = 20_000, 15


QUEUES = """\
queues:
  work:
    handler: hands:{handler}
    concurrency: {slots}
    processes: 2
    timeout: 30s
    retry: {{attempts: 3, backoff: {{type: fixed, delay: 100ms}}}}
    retention: {{completed: {{count: {kept}, age: 1d}}}}
"""


def write(shop: Shop, slots: int, handler: str, kept: int) -> None:
    """The file of the soak. Its edits are found by the watcher."""
    shop.write(QUEUES.format(slots=slots, handler=handler, kept=kept), watch="true")


class Mishaps:
    """Faults against one shop.

    `losses` says which process lost what it ran, and when, `pills` which numbers kill their process, `done` how
    often each fault was, `failed` what could not be brought about.
    """

    def __init__(self, shop: Shop, broker: Broker, producer: Producer, rng: random.Random, kept: int) -> None:
        self._shop, self._broker, self._producer, self._rng = shop, broker, producer, rng
        self._kept = kept
        self._reloads = 0
        self._deck: list[str] = []
        self.losses: list[Loss] = []
        self.pills: list[int] = []
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self.kinds: dict[str, Callable[[], None]] = {
            "supervisor killed": self.kill_supervisor,
            "worker killed": self.kill_worker,
            "worker frozen": self.freeze_worker,
            "broker frozen": self.freeze_broker,
            "broker killed": self.kill_broker,
            "scripts flushed": self.flush_scripts,
            "connections cut": self.cut_connections,
            "file edited": self.edit,
            "pill": self.pill,
            "burst": self.burst,
        }

    def draw(self, *, early: bool) -> str:
        """The next fault: each kind once in ten, in an order of its own. The supervisor is killed in the first
        half of the early part only, for its memory is measured after that."""
        first = not self._deck and not self.done
        if not self._deck:
            self._deck = [*self.kinds][1:]
            self._rng.shuffle(self._deck)
        if first and early:
            self._deck.insert(
                self._rng.randrange(len(self._deck) // 2, len(self._deck)) + 1, "supervisor killed"
            )
        return self._deck.pop()

    def bring(self, kind: str) -> None:
        """Let it happen; what stood in its way is noted in `failed`."""
        try:
            self.kinds[kind]()
        except Exception as error:  # noqa: BLE001 - the soak goes on, and is not passed
            self.failed.append(f"{kind}: {type(error).__name__}: {error}")
        else:
            self.done[kind] += 1

    @property
    def supervisor(self) -> Supervisor:
        """The one that runs."""
        return self._shop.supervisors[-1]

    def _worker(self) -> int:
        return self._rng.choice(eventually(self.supervisor.workers, "a worker runs"))

    def _lose(self, pids: list[int], since: float) -> None:
        self.losses += [Loss(pid, since, time.monotonic()) for pid in pids]

    def kill_worker(self) -> None:
        pid, since = self._worker(), time.monotonic()
        send(pid, signal.SIGKILL)
        eventually(lambda: is_gone(pid), "it is gone")
        self._lose([pid], since)

    def kill_supervisor(self) -> None:
        pids, since = self.supervisor.workers(), time.monotonic()
        self.supervisor.process.kill()  # its workers die with it: the kernel sees to that
        self.supervisor.process.wait()
        eventually(lambda: all(map(is_gone, pids)), "its workers are gone")
        self._lose(pids, since)
        time.sleep(1)
        self._shop.up()

    def freeze_worker(self) -> None:
        """Its supervisor vouches for it, so nothing that it began may run again."""
        pid = self._worker()
        send(pid, signal.SIGSTOP)
        time.sleep(WORKER_FROZEN_SECONDS)
        send(pid, signal.SIGCONT)

    def freeze_broker(self) -> None:
        self._broker.freeze()
        time.sleep(BROKER_FROZEN_SECONDS)
        self._broker.thaw()

    def kill_broker(self) -> None:
        self._broker.kill()
        time.sleep(BROKER_AWAY_SECONDS)
        self._broker.start()

    def flush_scripts(self) -> None:
        self._broker.call("SCRIPT", "FLUSH")

    def cut_connections(self) -> None:
        if not self._broker.call("CLIENT", "KILL", "TYPE", "normal"):
            raise AssertionError("there was no connection to cut")

    def edit(self) -> None:
        """A hot change, or every other time one that rolls the pool; the watcher finds it."""
        before = running_plan(self._shop.root)
        self._reloads += 1
        handler = ("chore", "same_chore")[self._reloads // 2 % 2]
        write(self._shop, SLOTS + self._reloads % 2, handler, self._kept)
        eventually(
            lambda: before and (now := running_plan(self._shop.root)) and now.hash != before.hash,
            "the edit is applied",
        )

    def pill(self) -> None:
        """A job that kills its process each time that it runs."""
        make, self._producer.make = self._producer.make, lambda n: plain(n, pill="exit")
        self.pills.append(len(self._producer.ledger))
        self._producer.put(1)
        self._producer.make = make

    def burst(self) -> None:
        self._producer.put(BURST)
