"""One run of a case: a server, a project, producers, and what is found at the end."""

from __future__ import annotations

import contextlib
import itertools
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from faults import events
from faults.audit import Audit, audit
from faults.broker import Broker
from faults.case import Case, Place
from faults.checker import Loss
from faults.events import Run
from faults.processes import PATIENCE, eventually, is_gone, kill
from faults.producer import Producer, Sent
from faults.proxy import Proxy
from faults.shop import NAME, WORK, Shop, Supervisor
from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.reader import Reader, queue_names

Kind = TypeVar("Kind")
STUCK = 20.0
"""Seconds in which something must end once the fault is over, as long as anything is left."""


class Trial:
    """What a case works with. `seconds` is how long its fault lasts; `random` is seeded."""

    def __init__(self, case: Case, folder: Path, seed: int, *, long: bool, binary: str) -> None:
        self.case = case
        self.long = long
        self.seconds = case.long if long else case.short
        self.random = random.Random(f"{seed} {case.name}")
        self.folder = folder
        self.place: Place = (
            case.place(folder, binary, long) if case.place else Broker(folder, binary, **case.server)
        )
        self.shop = Shop(folder / "shop", self.place.url, log=folder / "events")
        self.shops = [self.shop]
        self.bites: Counter[str] = Counter()
        self.figures: dict[str, str] = {}
        self.times: dict[str, list[float]] = defaultdict(list)
        self.violations: list[str] = []
        self.losses: list[Loss] = []
        self.sent = Sent()
        self.stuck_seconds = STUCK
        self.version = ""
        self.proxies: list[Proxy] = []
        self.producers: list[Producer] = []
        self._numbers = itertools.count(1)

    # --- for cases: what is there ------------------------------------------------------------------------

    @property
    def broker(self) -> Broker:
        """The server of a case that has one."""
        return self.at(Broker)

    def at(self, kind: type[Kind]) -> Kind:
        """The servers of this case, which are of this kind."""
        assert isinstance(self.place, kind)
        return self.place

    def proxy(self) -> Proxy:
        """A proxy before the broker."""
        self.proxies.append(Proxy(self.broker.url, self.random.getrandbits(32)))
        return self.proxies[-1]

    def another_host(self, name: str, url: str = "") -> Shop:
        """The same project on another host, as far as its supervisors can tell."""
        shop = Shop(self.folder / name, url or self.place.url, log=self.shop.log, host=name)
        self.shops.append(shop)
        return shop

    def rival(self, text: str = WORK, **settings: str) -> Supervisor:
        """Another host that runs the same file, and takes whatever has lost its lease."""
        shop = self.another_host("rival")
        shop.write(text, **settings)
        return shop.up()

    def produce(self, rate: float, url: str = "", **options: Any) -> Producer:
        """Put jobs in at this rate, from now until the end of the case or its own `stop`."""
        producer = Producer(url or self.place.url, rate, numbers=self._numbers, **options)
        self.producers.append(producer)
        return producer.start()

    def stop_producing(self) -> None:
        """Stop what `produce` started, once every call has its answer."""
        while self.producers:
            self.sent.add(self.producers[-1].stop())
            self.producers.pop()

    def drain(self) -> None:
        """Wait until no job waits or runs any more, twice in a row: a job that moves may be met on its way."""
        left, since = self.open_jobs(), self.now()
        while left or self.open_jobs():
            if self.now() - since > self.stuck_seconds:
                self.fails(f"stuck after the fault: {left} for {self.stuck_seconds:g} s")
                return
            time.sleep(0.02)
            before, left = left, self.open_jobs()
            if left != before:
                since = self.now()

    def open_jobs(self) -> dict[str, int]:
        """How many jobs of which queue have not ended."""
        with contextlib.closing(self.place.connect()) as connection:
            found = {}
            for queue in run_blocking(connection, queue_names(NAME)):
                counts = run_blocking(connection, Reader(NAME, queue).counts())
                found[queue] = counts.waiting + counts.delayed + counts.active
        return {queue: number for queue, number in found.items() if number}

    def audit(self) -> list[Audit]:
        """What the broker holds, queue by queue."""
        with contextlib.closing(self.place.connect()) as connection:
            names = run_blocking(connection, queue_names(NAME))
        return [self._audit(name) for name in names]

    def _audit(self, queue: str) -> Audit:
        with contextlib.closing(self.place.beside(keys.base(NAME, queue))) as connection:
            return audit(connection, NAME, queue)

    def runs(self) -> dict[int, list[Run]]:
        """The runs of each number so far, the first one first."""
        return events.runs_of(self.shop.events())

    def busy(self, supervisor: Supervisor) -> int:
        """A random worker that has jobs in hand, waited for if need be; its process."""

        def look() -> list[int]:
            begun = {event.pid for event in events.in_hand(self.shop.events())}
            return sorted(begun & {*supervisor.workers()})

        return int(self.random.choice(self.eventually(look, "a worker has jobs in hand")))

    def eventually(self, look: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """The first true answer of `look`. Raises TooLate, which is a violation."""
        return eventually(look, what, seconds)

    def pause(self, seconds: float) -> None:
        """Let that much time pass."""
        time.sleep(seconds)

    def now(self) -> float:
        """Seconds of the clock that handlers write down, too."""
        return time.monotonic()

    def rounds(self, least: float, most: float, *, first: int = 1) -> Iterator[int]:
        """Numbers from 0, one after each pause of between `least` and `most` seconds, until the time is over; the
        `first` ones in any case."""
        until = time.monotonic() + self.seconds
        for turn in itertools.count():
            time.sleep(self.random.uniform(least, most))
            if turn >= first and time.monotonic() > until:
                return
            yield turn

    def ended(self) -> int:
        """How many runs came to their end so far."""
        return len(events.ends(self.shop.events()))

    def stat(self, name: str, queue: str = "work") -> int:
        """A total of a queue, such as `lost_leases`."""
        with contextlib.closing(self.place.connect()) as connection:
            return int(connection.call(("HGET", keys.stats(keys.base(NAME, queue)), name)) or 0)

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

    def resumes(self, lost: Mapping[int, float], within: float, *, each: bool = True) -> None:
        """Jobs that were cut short by the end of their process (pid -> when) ran again within so many seconds, the
        first time: from the second on they wait for a process of their own. Without `each` it is enough that some of
        them did, of every process.
        """
        seen = self.shop.events()
        again = events.resumed(seen, lost)
        self.bit("jobs interrupted", len(again))
        self.spread("until the same job runs again", again)
        firsts = [min(some) for pid in lost if (some := events.resumed(seen, {pid: lost[pid]}))]
        late = [seconds for seconds in (again if each else firsts) if seconds > within]
        self.expect(not late, f"{len(late)} jobs ran again only after more than {within:g} s")

    def spread(self, name: str, seconds: list[float]) -> None:
        """A figure: how many there are, their median, 99th percentile and maximum."""
        if seconds:
            ranked = sorted(seconds)
            high = ranked[min(int(len(ranked) * 0.99), len(ranked) - 1)]
            self.figures[name] = (
                f"p50 {_ms(statistics.median(ranked))}, p99 {_ms(high)}, max {_ms(ranked[-1])}, n {len(ranked)}"
            )

    def gap(self, name: str, since: float, within: float, queue: str = "") -> None:
        """From `since` until now no handler of this queue, or of any, may have come to its end for so many seconds at most."""
        longest = events.longest_gap(events.ends(self.shop.events(), queue), since, self.now())
        self.times[name].append(longest)
        self.spread(name, self.times[name])
        self.expect(longest <= within, f"{name}: {_ms(longest)}, not {within:g} s")

    def recovers(self, since: float, rate: float, within: float, queue: str = "") -> None:
        """From `since` on jobs of this queue, or of any, must be consumed at `rate` a second again, within so many
        seconds."""
        deadline = time.monotonic() + within + 5
        found: float | None = None
        while found is None and time.monotonic() < deadline:
            time.sleep(0.1)
            found = events.recovery(events.ends(self.shop.events(), queue), since, rate)
        if found is not None:
            self.times["recovery"].append(found)
            self.spread("recovery", self.times["recovery"])
        if found is None or found > within:
            when = "never back" if found is None else f"back after {_ms(found)}"
            self.fails(f"consumption at {rate:.0f}/s was {when}, not within {within:g} s")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
