"""How soon as much is done as before when the server was killed -9 under load and started again, with nobody's help."""

from __future__ import annotations

import time

from faults import events
from faults.bars.ledger import Tail
from faults.bars.verdict import Given, Verdict
from faults.case import Case
from faults.conduct import conduct
from faults.events import Event
from faults.trial import Trial

ROUNDS = 10
RATE, SHARE = 1000, 0.8
BEFORE_SECONDS, AFTER_SECONDS = 3.0, 8.0
AWAY_SECONDS = (0.2, 2.5)
LIMIT = 3.0
QUEUES = """\
queues:
  work: {handler: "hands:work", processes: 2, concurrency: 10}
"""


def measure(given: Given) -> Verdict:
    """`rounds` restarts. The time is from the first PING that is answered."""
    verdict = Verdict()
    rounds = given.rounds or ROUNDS
    took: list[float] = []

    def inject(trial: Trial) -> None:
        trial.shop.write(QUEUES)
        trial.shop.up()
        trial.produce(RATE, threads=4, payload=lambda _: {"seconds": 0.01})
        tail = Tail(trial.shop.log)
        time.sleep(1.0)
        for _ in range(rounds):
            took.append(_restart(trial, tail))
            trial.bit("restarts")
        verdict.spread("80 % of the throughput after, ms", took)

    verdict.take(
        conduct(Case("restart", "server killed", "SIGKILL", inject, 0, 0, ("restarts",)), given.seed)
    )
    verdict.at_least("restarts", len(took), rounds)
    if took:
        verdict.tell("80 % of the throughput again, median", f"{sorted(took)[len(took) // 2]:.2f} s")
        verdict.at_most("80 % of the throughput again, longest", round(max(took), 2), LIMIT, " s")
    return verdict


def _restart(trial: Trial, tail: Tail) -> float:
    """Seconds until what was done a second before is done again."""
    tail.read()
    time.sleep(BEFORE_SECONDS)
    before = len(_ends(tail.read())) / BEFORE_SECONDS
    trial.broker.kill()
    time.sleep(trial.random.uniform(*AWAY_SECONDS))
    trial.broker.start()
    back = time.monotonic()
    ends: list[float] = []
    while time.monotonic() < back + AFTER_SECONDS:
        time.sleep(0.1)
        ends += _ends(tail.read())
        if (found := events.recovery(ends, back, before * SHARE)) is not None:
            return found
    return float("inf")


def _ends(lines: list[Event]) -> list[float]:
    return [line.at for line in lines if line.what == "end"]
