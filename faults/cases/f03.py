"""F3: a host dies with all that runs on it, and another takes over."""

from faults.case import Case
from faults.trial import Trial

LEASE = 5.0


def inject(trial: Trial) -> None:
    other = trial.another_host("b")
    other.write()
    taker = other.up()
    trial.produce(80, payload=lambda number: {"seconds": number % 40 / 100})
    kills: dict[int, float] = {}
    for _ in trial.rounds(0.5, 1.5):
        victim = trial.shop.up()
        trial.pause(1.0)
        workers = victim.workers()
        at = trial.kill_supervisor(victim)
        kills.update(dict.fromkeys(workers, at))
        trial.bit("hosts lost")
        trial.pause(LEASE + 2)
    trial.expect("taken back" in taker.output, "nobody was told that jobs were taken back")
    trial.resumes(kills, within=LEASE + 2)


CASE = Case(
    "F3",
    "host lost, another takes over",
    f"SIGKILL to everything of one host, while another one runs; lease {LEASE:g} s",
    inject,
    short=2,
    long=60,
    bites=("hosts lost", "jobs interrupted"),
)
