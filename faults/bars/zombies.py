"""What workers say of jobs that others ran meanwhile must not count.

Frozen: a host (a supervisor and a worker with 50 jobs in hand) stands still until another has taken its jobs and
completed them; then its worker alone goes on, so that nobody ends it before it could speak. Late: the worker ends its
jobs in time, but what it says of them lies in the network until then. The former may notice and say nothing.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from faults.bars.ledger import Tail
from faults.bars.verdict import Given, Verdict, say
from faults.case import Case
from faults.conduct import conduct
from faults.processes import eventually, send
from faults.producer import Sent
from faults.shop import NAME, Supervisor
from faults.trial import Trial
from pipeline import Client
from pipeline.store import keys

ROUNDS, JOBS = 10, 50
SECONDS = 1.5
LEASE = 2.0
TELL_SECONDS = 2.0
"""How long a worker has for telling what it has to tell; its next turn takes milliseconds."""
QUEUES = """\
queues:
  work: {{handler: "hands:{handler}", concurrency: {jobs}}}
"""
NETWORK = """
import sys, time
from faults.proxy import Proxy
print(Proxy(sys.argv[1]).url, flush=True)
time.sleep(1e6)
"""


class Found(NamedTuple):
    """Of zombies: jobs that their handlers ended, outcomes that changed after that, completions that were refused."""

    ended: int
    accepted: int
    refused: int


def measure(given: Given) -> Verdict:
    """`rounds` zombies with 50 jobs of each kind."""
    verdict = Verdict()
    rounds = given.rounds or ROUNDS
    on_loop = _measure(
        given, "frozen, handlers on the loop", partial(_frozen, "chore"), rounds // 2 or 1, verdict
    )
    in_threads = _measure(
        given, "frozen, handlers in threads", partial(_frozen, "block"), rounds // 2 or 1, verdict
    )
    late = _measure(given, "late", _late, rounds, verdict)
    verdict.at_least("frozen: jobs that zombies ended", on_loop.ended + in_threads.ended, rounds * JOBS)
    verdict.at_most("frozen: accepted", on_loop.accepted + in_threads.accepted, 0)
    verdict.at_least(
        "late: completions that reached the broker and were refused", late.refused, rounds * JOBS
    )
    verdict.at_most("late: accepted", late.accepted, 0)
    return verdict


def _measure(
    given: Given, name: str, inject: Callable[[Trial, int, list[Found]], None], rounds: int, verdict: Verdict
) -> Found:
    say(name)
    found: list[Found] = []
    case = Case(f"zombies, {name}", name, "SIGSTOP", lambda trial: inject(trial, rounds, found), 0, 0, ())
    verdict.take(conduct(case, given.seed))
    return Found(*(sum(column) for column in zip(*found, strict=True))) if found else Found(0, 0, 0)


def _frozen(handler: str, trial: Trial, rounds: int, found: list[Found]) -> None:
    scene = Scene(trial, handler)
    for _ in range(rounds):
        victim = scene.begin()
        workers = victim.workers()
        _signal([victim.pid, *workers], signal.SIGSTOP)
        found.append(scene.end(victim, partial(_signal, workers, signal.SIGCONT)))


def _late(trial: Trial, rounds: int, found: list[Found]) -> None:
    """More rounds than asked for, when not all jobs of one are told in one turn."""
    command = [sys.executable, "-c", NETWORK, trial.broker.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as network:
        assert network.stdout is not None
        trial.shop.url = network.stdout.readline().strip()
        scene = Scene(trial, "chore")
        try:
            while sum(one.refused for one in found) < rounds * JOBS and len(found) < 2 * rounds:
                victim = scene.begin()
                _signal([network.pid], signal.SIGSTOP)
                found.append(scene.end(victim, partial(_signal, [network.pid], signal.SIGCONT)))
        finally:
            network.kill()


@dataclass
class Scene:
    """Two hosts that share a queue; the first is the victim."""

    trial: Trial
    handler: str
    jobs: int = 0

    def __post_init__(self) -> None:
        self.other = self.trial.another_host("b")
        for shop in (self.trial.shop, self.other):
            shop.write(QUEUES.format(handler=self.handler, jobs=JOBS), lease=f"{LEASE:g}s")
        self.tail = Tail(self.trial.shop.log)
        self.since = 0.0

    def begin(self) -> Supervisor:
        """The victim, with all jobs of a round in hand."""
        victim = self.trial.shop.up()
        self.since = time.monotonic()
        _put(self.trial, range(self.jobs, self.jobs + JOBS))
        self.jobs += JOBS
        begun = 0
        while begun < JOBS:
            time.sleep(0.002)
            begun += sum(line.what == "begin" for line in self.tail.read())
        return victim

    def end(self, victim: Supervisor, wake: Callable[[], None]) -> Found:
        """The other host takes the jobs over and completes them, then the victim wakes; what came of that."""
        trial, workers = self.trial, victim.workers()
        survivor = self.other.up()
        eventually(lambda: trial.stat("completed") == self.jobs, "the other host completed them", LEASE + 20)
        outcomes, lost = _outcomes(trial), trial.stat("lost_leases")
        wake()
        time.sleep(TELL_SECONDS)
        ended = sum(line.what == "end" and line.pid in workers for line in self.tail.read())
        changed = sum(outcomes.get(id) != outcome for id, outcome in _outcomes(trial).items())
        for pid in workers:
            trial.loses(pid, self.since, time.monotonic(), "given up")
        accepted = changed + trial.stat("completed") - self.jobs
        found = Found(ended, accepted, trial.stat("lost_leases") - lost)
        trial.kill(victim.pid, *victim.workers())
        victim.process.wait()
        there = ("ZCARD", keys.workers(keys.base(NAME, "work")))
        eventually(lambda: trial.broker.call(*there) == len(survivor.workers()), "the victim is forgotten")
        survivor.process.terminate()
        survivor.ends()
        return found


def _put(trial: Trial, numbers: range) -> None:
    """All at once, so that they begin and end together."""
    with Client(trial.broker.url, NAME) as client:
        accepted = client.enqueue_many("work", [("job", {"n": n, "seconds": SECONDS}) for n in numbers])
    told = {number: one.id for number, one in zip(numbers, accepted, strict=True)}
    trial.sent.add(Sent(dict.fromkeys(numbers, time.monotonic()), told))


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        send(pid, number)


def _outcomes(trial: Trial) -> dict[bytes, bytes]:
    """How each job ended, by its id."""
    flat = trial.broker.call("HGETALL", keys.outcomes(keys.base(NAME, "work")))
    return dict(zip(flat[::2], flat[1::2], strict=True))
