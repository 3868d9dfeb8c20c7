"""F20: the primary dies, and the Sentinels make a replica primary."""

import signal
from pathlib import Path

from faults.case import Case
from faults.rollback import account
from faults.topology.sentinels import Sentinels
from faults.trial import Trial

RATE = 100
WITHIN = 10.0
LATEST = 1.0
"""Seconds before the death of the primary of which its replica may know nothing."""
DOWN_AFTER, SHORT_DOWN_AFTER = 5000, 2000
"""Milliseconds. Sentinels ask once a second: with one second they take each other's choice for dead."""
DURABILITIES = ("everysec", "{replicas: 1}")


def place(folder: Path, binary: str, long: bool) -> Sentinels:
    # Two replicas: the one that is left confirms jobs when the other has become the primary.
    return Sentinels(folder, binary, replicas=2, down_after=DOWN_AFTER if long else SHORT_DOWN_AFTER)


def inject(trial: Trial) -> None:
    for durability in DURABILITIES:
        _under(trial, durability)


def _under(trial: Trial, durability: str) -> None:
    trial.shop.write(durability=durability)
    supervisor = trial.shop.up()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    deaths = [_death(trial) for _ in range(max(round(trial.seconds / 15), 1))]
    trial.stop_producing()
    trial.drain()
    gone = sum(account(trial, at - LATEST, back, back) for at, back in deaths)
    trial.figures[f"lost by {durability.strip('{}')}"] = f"{gone} jobs in {len(deaths)} failovers at {RATE}/s"
    trial.expect(
        "replicas" not in durability or not gone, f"{gone} jobs that a replica had confirmed are lost"
    )
    supervisor.signal(signal.SIGTERM)
    supervisor.ends()


def _death(trial: Trial) -> tuple[float, float]:
    """SIGKILL to the primary, and its return as a replica; when it died and when there was another one."""
    servers = trial.at(Sentinels)
    trial.pause(trial.random.uniform(1.0, 2.0))
    old, at = servers.primary, trial.now()
    old.kill()
    new = servers.await_failover(old, WITHIN)
    back = trial.now()
    trial.bit("primaries killed")
    trial.recovers(at, RATE * 0.8, within=WITHIN)
    trial.gap("longest gap of consumption", at, WITHIN)
    old.start()
    servers.follow(old, new)
    trial.eventually(lambda: servers.all_follow(new), "the others follow the new primary")
    return at, back


CASE = Case(
    "F20",
    "failover by Sentinels",
    "SIGKILL to the primary, which three Sentinels watch; durability everysec, then replicas: 1",
    inject,
    short=4,
    long=60,
    bites=("primaries killed",),
    place=place,
)
