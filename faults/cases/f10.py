"""F10: connections are reset, by the network and by the broker."""

from faults.case import Case
from faults.trial import Trial

RATE = 150


def inject(trial: Trial) -> None:
    proxy = trial.proxy()
    trial.shop.url = proxy.url
    trial.shop.write()
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    trial.produce(RATE / 2, proxy.url)
    trial.produce(RATE / 2)
    trial.pause(1.0)
    proxy.reset_after(200, 40_000)
    trial.pause(trial.seconds / 2)
    trial.bit("connections reset in the middle", proxy.resets)
    proxy.heal()
    for _ in range(max(round(trial.seconds / 2), 1)):
        trial.bit(
            "connections that the broker killed", int(trial.broker.call("CLIENT", "KILL", "TYPE", "normal"))
        )
        trial.pause(1.0)
    proxy.hang_up()
    trial.recovers(trial.now(), RATE * 0.8, within=2.0)
    trial.expect(supervisor.workers() == workers, "a worker died of a lost connection")


CASE = Case(
    "F10",
    "connections reset",
    "the proxy sends RST at a random byte; then CLIENT KILL TYPE normal every second",
    inject,
    short=4,
    long=60,
    bites=("connections reset in the middle", "connections that the broker killed"),
)
