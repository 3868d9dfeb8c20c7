"""The faults, one function each: the same for every queue."""

import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faults.broker import Broker
from faults.peers import audit, tally
from faults.peers.crew import Crew, produce
from faults.peers.journal import Event, Journal
from faults.peers.losing import LosingProxy
from faults.peers.subject import Place, Subject
from faults.processes import send

JOBS, SECONDS = 120, 0.5
KILLS = 5
WAIT = 120.0
"""Seconds after the last kill in which all must have run."""
QUIET = 5.0
"""Seconds to wait when all ran, for those that run twice."""
Row = dict[str, Any]


class Round:
    """One fault on one queue: a broker, a journal, hosts and a producer of its own; all end with the `with`."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "server").mkdir(parents=True)
        self.subject, self.folder = subject, folder
        self.broker = Broker(folder / "server", shutil.which("redis-server") or "")
        self.journal = Journal(folder / "journal")
        self._stack = ExitStack()

    def __enter__(self) -> "Round":
        self.broker.start()
        self._stack.callback(self.broker.stop)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def place(self, host: str, url: str = "") -> Place:
        return Place(url or self.broker.url, self.folder / host, self.journal.path)

    def crew(self, host: str) -> Crew:
        return self._stack.enter_context(Crew(self.subject, self.place(host)))

    def produce(self, *numbers: float, url: str = "") -> None:
        """On the first host; it is killed in the end if it hangs."""
        producer = produce(self.subject, self.place("alpha", url), *numbers)
        self._stack.callback(producer.wait)
        self._stack.callback(producer.kill)
        self.producer = producer

    def proxy(self, every: int) -> LosingProxy:
        return self._stack.enter_context(LosingProxy(self.broker.url, every))

    def until(self, look: Callable[[], object], seconds: float) -> bool:
        """Whether `look` came true in time; the journal is read before each look."""
        end = time.monotonic() + seconds
        while True:
            self.journal.read()
            if look():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)

    def all_ran(self) -> bool:
        return self.producer.poll() is not None and self.journal.numbers("ack") <= self.journal.numbers("end")

    def finish(self, seconds: float) -> None:
        """Until all that was acknowledged ran and nothing runs any more, or no longer."""
        if self.until(self.all_ran, seconds):
            time.sleep(QUIET)
            self.until(lambda: not self.journal.running(), QUIET)

    def result(self, killed: list[tuple[int, float]], last_kill: float) -> Row:
        """The counts, and how long it took after the last kill until the last job ended for the first time."""
        counts = tally.count(self.journal, audit.kept(self.broker.url))
        again = tally.reruns(self.journal, killed)
        first: dict[int, float] = {}
        for event in self.journal.events["end"]:
            first.setdefault(event.number, event.at)
        done = max(first.values(), default=last_kill) - last_kill
        return {
            **asdict(counts),
            "killed": len(killed),
            "rerun": tally.middle(again),
            "rerun_max": round(max(again), 3) if again else None,
            "done": round(done, 2) if not counts.lost else None,
        }


def _kill(events: list[Event]) -> list[tuple[int, float]]:
    """Kill the processes that run these jobs: the jobs, and when."""
    for pid in {event.pid for event in events}:
        send(pid, signal.SIGKILL)
    now = time.monotonic()
    return [(event.number, now) for event in events]


def f1(round: Round) -> Row:
    """The processes that run jobs are killed, five times."""
    crew = round.crew("alpha")
    round.produce(JOBS, 0, SECONDS)
    killed: list[tuple[int, float]] = []
    last = time.monotonic()
    kills = 0
    while kills < KILLS and round.until(round.journal.running, WAIT):
        time.sleep(random.uniform(1.2, 2.2))
        round.journal.read()
        if hit := _kill(round.journal.running()):
            killed += hit
            last = time.monotonic()
            kills += 1
        elif round.all_ran():
            break
    round.finish(WAIT)
    return {**round.result(killed, last), "kills": kills, "restarts": crew.restarts}


def f3(round: Round) -> Row:
    """All processes of a host are killed in the middle, and the host stays away; another takes over."""
    first = round.crew("alpha")
    round.produce(JOBS, 0, SECONDS)
    round.until(lambda: len(round.journal.numbers("end")) >= JOBS // 6, WAIT)
    round.until(round.journal.running, QUIET)
    running = round.journal.running()
    last = time.monotonic()
    first.kill()
    other = round.crew("beta")
    round.finish(WAIT)
    killed = [(event.number, last) for event in running]
    return {**round.result(killed, last), "kills": 1, "restarts": other.restarts}


def f9(round: Round) -> Row:
    """Every tenth reply to an enqueue is lost, with its connection; the client does what it does by default."""
    round.crew("alpha")
    proxy = round.proxy(10)
    round.produce(500, 0, 0, url=proxy.url)
    started = time.monotonic()
    round.until(lambda: round.producer.poll() is not None, 60)
    round.finish(30)
    return {**round.result([], started), "replies_lost": proxy.lost, "hung": round.producer.poll() is None}


def f14(round: Round) -> Row:
    """The broker is killed and started again after two seconds, under load."""
    crew = round.crew("alpha")
    round.produce(600, 25, 0.05)
    round.until(lambda: len(round.journal.numbers("end")) >= 150, 30)
    running = [(event.number, time.monotonic()) for event in round.journal.running()]
    round.broker.kill()
    time.sleep(2)
    round.broker.start()
    back = time.monotonic()
    again = round.until(lambda: _since(round.journal, "begin", back), 30)
    seconds = round.journal.events["begin"][-1].at - back if again else None
    restarts = crew.restarts
    if not again:
        crew.kill()
        crew = round.crew("alpha")
    round.until(lambda: round.producer.poll() is not None, 40)
    round.finish(60)
    row = round.result(running, back)
    return {**row, "consumed_again": seconds, "restarts": restarts, "hung": round.producer.poll() is None}


def _since(journal: Journal, kind: str, at: float) -> bool:
    return any(event.at > at for event in reversed(journal.events[kind]))


FAULTS: dict[str, Callable[[Round], Row]] = {"F1": f1, "F3": f3, "F9": f9, "F14": f14}
