"""How soon jobs run again when their worker process is killed -9 in the middle of them.

A pool of two processes with 8 slots each, and 20 jobs of 50 to 200 ms a second: either of them alone could run them, so
that what is measured is no backlog. `max_crashes` is far away, because a job that was in two killed processes by chance
is to run beside others again; that the third run is alone is tested elsewhere.
"""

from __future__ import annotations

import time
from itertools import pairwise

from faults.bars.ledger import Hands
from faults.bars.verdict import Given, Verdict, quantile
from faults.case import Case
from faults.conduct import conduct
from faults.processes import eventually
from faults.trial import Trial

ROUNDS = 1000
APART_SECONDS = (0.3, 0.6)
RATE = 20
QUEUES = """\
queues:
  work: {handler: "hands:work", processes: 2, concurrency: 8, max_crashes: 100}
"""


def measure(given: Given) -> Verdict:
    """`rounds` kills."""
    verdict = Verdict()
    rounds = given.rounds or ROUNDS

    def inject(trial: Trial) -> None:
        trial.shop.write(QUEUES)
        supervisor = trial.shop.up()
        trial.produce(RATE, payload=lambda number: {"seconds": 0.05 + number % 16 / 100})
        hands = Hands(trial.shop.log)
        kills: dict[int, float] = {}
        for _ in range(rounds):
            time.sleep(trial.random.uniform(*APART_SECONDS))
            victim = trial.random.choice(eventually(lambda: hands.busy(supervisor.workers()), "jobs run"))
            kills[victim] = trial.kill(victim)
            trial.bit("kills")
        trial.stop_producing()
        trial.drain()
        again = _again(trial, kills)
        trial.bit("jobs interrupted", len(again))
        verdict.spread("ran again after, ms", again)
        verdict.at_least("kills", len(kills), rounds)
        verdict.tell("jobs interrupted", len(again))
        verdict.at_most("ran again, p50", round(quantile(again, 0.5) * 1000, 1), 100, " ms")
        verdict.at_most("ran again, p99", round(quantile(again, 0.99) * 1000, 1), 1000, " ms")
        verdict.tell("ran again, longest", f"{quantile(again, 1) * 1000:.1f} ms")

    bites = ("kills", "jobs interrupted")
    verdict.take(conduct(Case("kills", "workers killed", "SIGKILL", inject, 0, 0, bites), given.seed))
    return verdict


def _again(trial: Trial, kills: dict[int, float]) -> list[float]:
    """For each run that was cut short by a kill: seconds until the next run of the same job."""
    return [
        after.begin - kills[before.pid]
        for runs in trial.runs().values()
        for before, after in pairwise(runs)
        if before.end is None and before.pid in kills
    ]
