"""F14: the broker is killed with -9 and started again."""

from faults.case import Case
from faults.events import in_hand
from faults.trial import Trial

RATE = 150


def inject(trial: Trial) -> None:
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 200})
    for _ in trial.rounds(0.5, 1.5):
        trial.bit("jobs in hand", len(in_hand(trial.shop.events())))
        trial.broker.kill()
        trial.pause(trial.random.uniform(0, 1))
        trial.broker.start()
        trial.bit("restarts")
        trial.recovers(trial.now(), RATE * 0.8, within=3.0)
    trial.expect(supervisor.workers() == workers, "a worker died of a restart of the broker")
    trial.expect(trial.stat("lost_leases") == 0, "a restart of the broker cost leases")


CASE = Case(
    "F14",
    "broker killed",
    "SIGKILL to the broker, and a start up to a second later, again and again; appendfsync always",
    inject,
    short=6,
    long=60,
    bites=("restarts", "jobs in hand"),
    # Under everysec a write is held back while a sync is under way, and answered: what that costs is counted by F15.
    server={"appendfsync": "always"},
)
