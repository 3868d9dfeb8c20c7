"""F12: a slow and narrow link to the broker."""

from faults.case import Case
from faults.trial import Trial

RATE = 40
DELAY, JITTER, BYTES = 0.2, 0.2, 64 * 1024
SLICE = 700


def inject(trial: Trial) -> None:
    proxy = trial.proxy()
    trial.shop.url = proxy.url
    trial.shop.write()
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    trial.produce(RATE)
    trial.pause(1.0)
    trial.rival()
    proxy.slow(DELAY, JITTER, BYTES)
    proxy.slice(SLICE)
    trial.produce(5, proxy.url)
    trial.pause(trial.seconds)
    trial.bit("pieces delayed", proxy.delayed)
    trial.bit("pieces cut up", proxy.sliced)
    proxy.heal()
    trial.recovers(trial.now(), RATE * 0.8, within=2.0)
    trial.expect(trial.stat("lost_leases") == 0, "a slow link cost a lease")
    trial.expect(supervisor.workers() == workers, "a worker died of a slow link")


CASE = Case(
    "F12",
    "slow and narrow link",
    f"{DELAY * 1000:.0f} ms +- {JITTER * 1000:.0f} ms, {BYTES // 1024} KiB/s, in pieces of {SLICE} bytes; a rival host on a fast link",
    inject,
    short=8,
    long=60,
    bites=("pieces delayed", "pieces cut up"),
)
