"""How soon jobs run again under another supervisor when theirs dies with all its workers.

One on the same host knows of a dead process; one on another host must wait until the lease is over.
"""

from __future__ import annotations

import time

from faults import events
from faults.bars.ledger import Hands
from faults.bars.verdict import Given, Verdict, quantile, say
from faults.case import Case
from faults.conduct import conduct
from faults.processes import eventually
from faults.shop import Shop
from faults.trial import Trial

ROUNDS = 50
LEASE = 5.0
RATE = 40


def measure(given: Given) -> Verdict:
    """`rounds` deaths with the survivor on another host, then as many with it on the same."""
    verdict = Verdict()
    for where, limit in (("another host", LEASE + 2), ("the same host", 2.0)):
        say(f"the survivor is on {where}")
        _measure(given, where, limit, verdict)
    return verdict


def _measure(given: Given, where: str, limit: float, verdict: Verdict) -> None:
    rounds = given.rounds or ROUNDS

    def inject(trial: Trial) -> None:
        survivor = trial.another_host("b") if where == "another host" else _neighbour(trial)
        for shop in (trial.shop, survivor):
            shop.write(lease=f"{LEASE:g}s")
        survivor.up()
        trial.produce(RATE, payload=lambda number: {"seconds": 0.1 + number % 16 / 50})
        kills: dict[int, float] = {}
        hands = Hands(trial.shop.log)
        for _ in range(rounds):
            kills |= _kill(trial, hands)
        trial.stop_producing()
        trial.drain()
        again = events.resumed(trial.shop.events(), kills)
        trial.bit("jobs interrupted", len(again))
        verdict.spread(f"{where}: ran again after, ms", again)
        verdict.tell(f"survivor on {where}: deaths, jobs interrupted", f"{rounds}, {len(again)}")
        verdict.tell(f"survivor on {where}: ran again, p50", f"{quantile(again, 0.5):.2f} s")
        verdict.at_most(f"survivor on {where}: ran again, longest", round(quantile(again, 1), 2), limit, " s")

    name = f"hosts {where}"
    verdict.take(conduct(Case(name, where, "SIGKILL", inject, 0, 0, ("jobs interrupted",)), given.seed))


def _neighbour(trial: Trial) -> Shop:
    """The same project once more on this host: in another folder, for a folder has one supervisor a queue."""
    shop = Shop(trial.folder / "b", trial.broker.url, log=trial.shop.log)
    trial.shops.append(shop)
    return shop


def _kill(trial: Trial, hands: Hands) -> dict[int, float]:
    """Up, in the middle of its jobs, and dead; which process died when. Then all that it ran runs again."""
    victim = trial.shop.up()
    busy = eventually(lambda: hands.busy(victim.workers()), "the victim runs jobs")
    time.sleep(trial.random.uniform(0, 0.5))
    workers = victim.workers()
    at = trial.kill(victim.pid, *workers)
    victim.process.wait()
    eventually(lambda: not hands.busy(busy), "its jobs run again", LEASE * 3)
    return dict.fromkeys(workers, at)
