"""One run of a case: a server, a project, producers, and what is found at the end."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from faults import events
from faults.broker import Broker
from faults.case import Case
from faults.checker import Loss
from faults.processes import eventually, is_gone, kill
from faults.producer import Producer, Sent
from faults.proxy import Proxy
from faults.shop import Shop, Supervisor

DRAIN = 30.0
"""Seconds within which all jobs must have ended once the fault is over."""


class Trial:
    """What a case works with. `seconds` is how long its fault lasts; `random` is seeded."""

    def __init__(self, case: Case, folder: Path, seed: int, *, long: bool, binary: str) -> None:
        self.case = case
        self.long = long
        self.seconds = case.long if long else case.short
        self.random = random.Random(f"{seed} {case.name}")
        self.folder = folder
        self.broker = Broker(folder, binary, **case.server)
        self.shop = Shop(folder / "shop", self.broker.url, log=folder / "events")
        self.shops = [self.shop]
        self.bites: Counter[str] = Counter()
        self.figures: dict[str, str] = {}
        self.violations: list[str] = []
        self.losses: list[Loss] = []
        self.sent = Sent()
        self.drain_seconds = DRAIN
        self.version = ""
        self.proxies: list[Proxy] = []
        self.producers: list[Producer] = []
        self._numbers = itertools.count(1)

    # --- for cases: what is there ------------------------------------------------------------------------

    def proxy(self) -> Proxy:
        """A proxy before the broker."""
        self.proxies.append(Proxy(self.broker.url, self.random.getrandbits(32)))
        return self.proxies[-1]

    def another_host(self, name: str, url: str = "") -> Shop:
        """The same project on another host, as far as its supervisors can tell."""
        shop = Shop(self.folder / name, url or self.broker.url, log=self.shop.log, host=name)
        self.shops.append(shop)
        return shop

    def produce(self, rate: float, url: str = "", **options: Any) -> Producer:
        """Put jobs in at this rate, from now until the end of the case or its own `stop`."""
        producer = Producer(url or self.broker.url, rate, numbers=self._numbers, **options)
        self.producers.append(producer)
        return producer.start()

    def eventually(self, look: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
        """The first true answer of `look`. Raises TooLate, which is a violation."""
        return eventually(look, what, seconds)

    def pause(self, seconds: float) -> None:
        """Let that much time pass."""
        time.sleep(seconds)

    def rounds(self, least: float, most: float) -> Iterator[int]:
        """Numbers from 0, one after each pause of between `least` and `most` seconds, until the time is over."""
        until = time.monotonic() + self.seconds
        for turn in itertools.count():
            time.sleep(self.random.uniform(least, most))
            if time.monotonic() > until:
                return
            yield turn

    def ends(self, since: float = 0.0) -> int:
        """How many runs came to their end since then."""
        return sum(event.what == "end" and event.at >= since for event in self.shop.events())

    # --- for cases: what they do, and what they saw ------------------------------------------------------

    def bit(self, what: str, times: int = 1) -> None:
        """The fault bit, so many times."""
        self.bites[what] += times

    def fails(self, violation: str) -> None:
        """The case saw a promise broken."""
        self.violations.append(violation)

    def expect(self, holds: bool, violation: str) -> None:
        """As `fails`, unless it holds."""
        if not holds:
            self.fails(violation)

    def loses(self, pid: int, since: float, until: float, why: str) -> None:
        """What this process ran within that time may run again."""
        self.losses.append(Loss(pid, since, until, why))

    def kill(self, *pids: int) -> float:
        """SIGKILL, and write down that what these processes run may run again; the result is the time."""
        since = time.monotonic()
        kill(*pids)
        self._gone(pids, since)
        return since

    def kill_supervisor(self, supervisor: Supervisor) -> float:
        """SIGKILL to a supervisor alone; its workers die with it. The result is the time."""
        workers, since = supervisor.workers(), time.monotonic()
        supervisor.process.kill()
        supervisor.process.wait()
        self._gone(workers, since)
        return since

    def _gone(self, pids: Iterable[int], since: float) -> None:
        self.eventually(lambda: all(map(is_gone, pids)), "what was killed is gone", 2.0)
        for pid in pids:
            self.loses(pid, since, time.monotonic(), "killed")

    def spread(self, name: str, seconds: list[float]) -> None:
        """A figure: how many there are, their median, 99th percentile and maximum."""
        if seconds:
            ranked = sorted(seconds)
            high = ranked[min(int(len(ranked) * 0.99), len(ranked) - 1)]
            self.figures[name] = (
                f"p50 {_ms(statistics.median(ranked))}, p99 {_ms(high)}, max {_ms(ranked[-1])}, n {len(ranked)}"
            )

    def recovers(self, since: float, rate: float, within: float) -> None:
        """From `since` on jobs must be consumed at `rate` a second again, within so many seconds."""
        deadline = time.monotonic() + within + 5
        found: float | None = None
        while found is None and time.monotonic() < deadline:
            time.sleep(0.1)
            found = events.recovery(events.ends(self.shop.events()), since, rate)
        self.figures["recovery"] = "never" if found is None else _ms(found)
        if found is None or found > within:
            self.fails(
                f"consumption at {rate:.0f}/s was back after {self.figures['recovery']}, not {within:g} s"
            )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
