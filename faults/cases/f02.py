"""F2: a supervisor is killed with -9 and started again."""

from faults.case import Case
from faults.trial import Trial

LEASE = 5.0


def inject(trial: Trial) -> None:
    supervisor = trial.shop.up()
    trial.produce(60, payload=lambda number: {"seconds": number % 40 / 200})
    kills: dict[int, float] = {}
    for _ in trial.rounds(0.5, 1.5):
        trial.busy(supervisor)
        workers = supervisor.workers()
        at = trial.kill_supervisor(supervisor)
        kills.update(dict.fromkeys(workers, at))
        trial.bit("kills")
        supervisor = trial.shop.up()
    trial.pause(0.5)
    trial.resumes(
        kills, within=LEASE + 2, each=False
    )  # all that it held is suspect: what was held twice runs alone


CASE = Case(
    "F2",
    "supervisor killed, and started again",
    "SIGKILL to the supervisor alone; no worker may outlive it by 2 s",
    inject,
    short=8,
    long=200,
    bites=("kills", "jobs interrupted"),
)
