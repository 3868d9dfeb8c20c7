"""F11: connections are half open: nothing passes, and nobody says so."""

from faults.case import Case
from faults.trial import Trial

RATE = 100
NOTICED = 5.0
"""Seconds within which silence must be taken for a loss."""
DARK = 1.0


def inject(trial: Trial) -> None:
    proxy = trial.proxy()
    trial.shop.url = proxy.url
    trial.shop.write()
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    trial.produce(RATE)
    trial.produce(20, proxy.url)
    for _ in trial.rounds(1.0, 2.0):
        dark = trial.now()
        proxy.go_dark()
        trial.pause(DARK)
        proxy.heal()  # for new connections: those that are open stay silent
        trial.recovers(dark + DARK, RATE * 0.8, within=NOTICED + 1)
        trial.bit("silences")
        trial.bit("pieces swallowed", proxy.swallowed)
        proxy.swallowed = 0
    trial.expect(supervisor.workers() == workers, "a worker died of a silent connection")


CASE = Case(
    "F11",
    "half-open connections",
    f"the proxy stops forwarding and keeps every socket; after {DARK:g} s new connections work, old ones never",
    inject,
    short=2,
    long=60,
    bites=("silences", "pieces swallowed"),
)
