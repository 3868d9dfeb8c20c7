"""F8: a worker's turn was carried out, and it is not told."""

from faults.case import Case
from faults.trial import Trial
from pipeline.store.scripts import script

EVERY = 10


def inject(trial: Trial) -> None:
    proxy = trial.proxy()
    trial.shop.url = proxy.url
    trial.shop.write()
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    proxy.drop_replies(EVERY, script("turn").sha)
    trial.produce(200)
    trial.pause(trial.seconds)
    trial.bit("replies to turns lost", proxy.lost)
    proxy.heal()
    trial.expect(supervisor.workers() == workers, "a worker died of a lost reply")


CASE = Case(
    "F8",
    "reply to a turn lost",
    f"the proxy drops the reply of every {EVERY}th turn, after its jobs were settled and others leased",
    inject,
    short=5,
    long=60,
    bites=("replies to turns lost",),
)
