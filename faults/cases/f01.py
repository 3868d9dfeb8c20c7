"""F1: a worker is killed with -9 in the middle of its jobs, again and again."""

from faults.case import Case
from faults.trial import Trial


def inject(trial: Trial) -> None:
    supervisor = trial.shop.up()
    trial.produce(150, payload=lambda number: {"seconds": number % 40 / 200})
    kills: dict[int, float] = {}
    for _ in trial.rounds(0.3, 1.0):
        victim = trial.random.choice(supervisor.workers())
        kills[victim] = trial.kill(victim)
        trial.bit("kills")
    trial.expect("taken back" in supervisor.output, "nobody was told that jobs were taken back")
    trial.resumes(kills, within=1.0)


CASE = Case(
    "F1",
    "worker killed",
    "SIGKILL to a random worker every 0.3 to 1 s",
    inject,
    short=6,
    long=60,
    bites=("kills", "jobs interrupted"),
)
