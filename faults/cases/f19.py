"""F19: a replica takes the primary's place, as planned, while jobs run."""

from pathlib import Path

from faults.case import Case
from faults.topology.replicated import Replicated
from faults.trial import Trial

RATE = 100
GAP = 2.0


def place(folder: Path, binary: str, _: bool) -> Replicated:
    return Replicated(folder, binary)


def inject(trial: Trial) -> None:
    servers = trial.at(Replicated)
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    for _ in trial.rounds(0.5, 1.0, first=2):
        at = trial.now()
        servers.failover()
        trial.bit("failovers")
        trial.recovers(at, RATE * 0.8, within=GAP + 1)
        trial.gap("longest gap of consumption", at, GAP)
    trial.expect(supervisor.workers() == workers, "a worker died of a failover")
    lost = trial.stat("lost_leases")
    trial.expect(lost == 0, f"{lost} leases were lost")


CASE = Case(
    "F19",
    "planned failover",
    "FAILOVER TO the replica, and back, under load",
    inject,
    short=4,
    long=60,
    bites=("failovers",),
    place=place,
)
