"""F13: the broker stands still for longer than the lease."""

from faults.case import Case
from faults.trial import Trial

LEASE = 3.0
RATE = 100
SLOWER = 0.05
LONG = range(100, 110)


def inject(trial: Trial) -> None:
    proxy = trial.proxy()
    trial.shop.url = proxy.url
    trial.shop.write(lease=f"{LEASE:g}s")
    supervisors = [trial.shop.up(), trial.rival(lease=f"{LEASE:g}s")]
    proxy.slow(SLOWER)  # so that the rival is the first to speak, when every lease seems to be over
    workers = [one.workers() for one in supervisors]
    # Some run all through the standstill: their leases must outlive it.
    trial.produce(RATE, payload=lambda n: {"seconds": trial.seconds + 1 if n in LONG else 0.02})
    trial.pause(2.0)
    trial.broker.freeze()
    trial.pause(trial.seconds)
    trial.broker.thaw()
    thawed = trial.now()
    trial.bit("seconds frozen", round(trial.seconds))
    trial.recovers(thawed, RATE * 0.8, within=3.0)
    trial.broker.call("CLIENT", "PAUSE", int(LEASE * 1000 + 1000), "ALL")
    trial.pause(LEASE + 1)
    trial.bit("seconds paused", round(LEASE + 1))
    trial.recovers(trial.now(), RATE * 0.8, within=3.0)
    trial.expect(trial.stat("lost_leases") == 0, "a standstill of the broker cost leases")
    trial.expect(
        [one.workers() for one in supervisors] == workers, "a worker died of the broker's standstill"
    )


CASE = Case(
    "F13",
    "broker frozen",
    f"SIGSTOP to the broker for longer than the lease of {LEASE:g} s, then CLIENT PAUSE; a rival host that is nearer",
    inject,
    short=5,
    long=20,
    bites=("seconds frozen", "seconds paused"),
)
