"""The faults, one function each: the same for every queue."""

import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from faults.broker import Broker
from faults.peers import audit, tally
from faults.peers.crew import Crew, produce
from faults.peers.journal import Event, Journal
from faults.peers.losing import LosingProxy
from faults.peers.subject import CONCURRENCY, Place, Subject
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

    def __enter__(self) -> Self:
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

    def result(self, killed: tally.Killed, since: float) -> Row:
        """What is counted, and `done`: the seconds from `since` until the last job had ended for the first time."""
        return {
            **tally.counts(self.journal, audit.kept(self.broker)),
            **tally.reruns(self.journal, killed),
            "done": tally.completed(self.journal, since),
        }


def _kill(events: list[Event]) -> tally.Killed:
    """Kill the processes that run these jobs: the jobs, and when."""
    for pid in {event.pid for event in events}:
        send(pid, signal.SIGKILL)
    now = time.monotonic()
    return [(event.number, now) for event in events]


def f1(round: Round) -> Row:
    """The processes that run jobs are killed, five times."""
    crew = round.crew("alpha")
    round.produce(JOBS, 0, SECONDS)
    killed: tally.Killed = []
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
    """A host dies in the middle of the jobs, with all its processes; another starts."""
    return _host_dies(round, JOBS, SECONDS, lambda: len(round.journal.numbers("end")) >= JOBS // 6)


def f3_idle(round: Round) -> Row:
    """A host dies while it runs the last jobs; another starts, and nothing else is enqueued."""
    return _host_dies(round, CONCURRENCY, 3, lambda: len(round.journal.numbers("begin")) == CONCURRENCY)


def _host_dies(round: Round, jobs: int, seconds: float, when: Callable[[], object]) -> Row:
    first = round.crew("alpha")
    round.produce(jobs, 0, seconds)
    round.until(when, WAIT)
    round.until(round.journal.running, QUIET)
    running = round.journal.running()
    died = time.monotonic()
    first.kill()
    other = round.crew("beta")
    round.finish(WAIT)
    killed = [(event.number, died) for event in running]
    return {**round.result(killed, died), "kills": 1, "restarts": other.restarts}


def f9(round: Round) -> Row:
    """Every tenth reply to an enqueue is lost, with its connection; the client does what it does by default."""
    round.crew("alpha")
    proxy = round.proxy(10)
    round.produce(500, 0, 0, url=proxy.url)
    started = time.monotonic()
    round.until(lambda: round.producer.poll() is not None, 60)
    round.finish(30)
    return {**round.result([], started), "replies_lost": proxy.lost, "hung": len(round.journal.unanswered())}


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
    round.until(lambda: _first_begin(round.journal, back), 30)
    again = _first_begin(round.journal, back)
    restarts = crew.restarts
    if not again:
        crew.kill()
        crew = round.crew("alpha")
    round.until(lambda: round.producer.poll() is not None, 40)
    round.finish(60)
    row = round.result(running, back)
    return {**row, "consumed_again": again, "restarts": restarts, "hung": len(round.journal.unanswered())}


def _first_begin(journal: Journal, since: float) -> float | None:
    """Seconds from `since` until the first job that began after it."""
    begun = (event.at for event in journal.events["begin"] if event.at > since)
    return next((at - since for at in begun), None)


def f0(round: Round) -> Row:
    """Nothing happens, but the jobs are longer than the time limits that find dead workers."""
    round.crew("alpha")
    started = time.monotonic()
    round.produce(CONCURRENCY, 0, 12)
    round.finish(60)
    return round.result([], started)


FAULTS: dict[str, Callable[[Round], Row]] = {
    "F0": f0,
    "F1": f1,
    "F3": f3,
    "F3-idle": f3_idle,
    "F9": f9,
    "F14": f14,
}
