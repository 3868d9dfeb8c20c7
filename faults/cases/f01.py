"""F1: a worker is killed with -9 in the middle of its jobs, again and again."""

from itertools import pairwise

from faults.case import Case
from faults.events import runs_of
from faults.trial import Trial


def inject(trial: Trial) -> None:
    supervisor = trial.shop.up()
    trial.produce(150, payload=lambda _: {"seconds": trial.random.uniform(0.005, 0.2)})
    kills: dict[int, float] = {}
    for _ in trial.rounds(0.3, 1.0):
        victim = trial.random.choice(supervisor.workers())
        kills[victim] = trial.kill(victim)
        trial.bit("kills")
    again = []
    for runs in runs_of(trial.shop.events()).values():
        for before, after in pairwise(runs):
            if before.end is None and before.pid in kills:
                again.append(after.begin - kills[before.pid])
    trial.bit("jobs interrupted", len(again))
    trial.spread("kill to the same job again", again)
    trial.expect(not again or max(again) < 2.0, "a job that was interrupted ran again after over 2 s")


CASE = Case(
    "F1",
    "worker killed",
    "SIGKILL to a random worker every 0.3 to 1 s",
    inject,
    short=6,
    long=60,
    bites=("kills", "jobs interrupted"),
)
