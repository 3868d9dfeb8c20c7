"""F1: a worker is killed with -9 in the middle of its jobs, again and again."""

from faults.case import Case
from faults.trial import Trial

LEASE = 5.0


def inject(trial: Trial) -> None:
    supervisor = trial.shop.up()
    trial.produce(150, payload=lambda number: {"seconds": number % 40 / 400})
    kills: dict[int, float] = {}
    for _ in trial.rounds(0.3, 1.0):
        victim = trial.busy(supervisor)
        kills[victim] = trial.kill(victim)
        trial.bit("kills")
    trial.expect("taken back" in supervisor.output, "nobody was told that jobs were taken back")
    trial.resumes(kills, within=LEASE - 1)  # by what its supervisor saw: no lease had ended


CASE = Case(
    "F1",
    "worker killed",
    "SIGKILL to a random worker that has jobs in hand, every 0.3 to 1 s",
    inject,
    short=6,
    long=60,
    bites=("kills", "jobs interrupted"),
)
