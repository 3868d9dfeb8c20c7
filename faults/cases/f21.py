"""F21: a replica is made primary while everybody stays with the old one, for 5 s."""

import json
import signal
from pathlib import Path

from faults.case import Case
from faults.rollback import account
from faults.topology.replicated import Replicated
from faults.trial import Trial

RATE = 100
APART = 5.0
LATEST = 1.0
"""Seconds before the split of which the replica may know nothing."""


def place(folder: Path, binary: str, _: bool) -> Replicated:
    return Replicated(folder, binary)


def inject(trial: Trial) -> None:
    times = max(round(trial.seconds / 15), 1)
    for least in (1, 0):
        gone = sum(_split(trial, least) for _ in range(times))
        trial.figures[f"lost with min-replicas-to-write {least}"] = (
            f"{gone} jobs in {times} splits at {RATE}/s"
        )
        if least:
            trial.expect(not gone, f"{gone} jobs that were accepted are lost")
        else:
            trial.bit("jobs gone without min-replicas-to-write", gone)


def _split(trial: Trial, least: int) -> int:
    """Part the servers under this min-replicas-to-write, and heal them; how many jobs that cost."""
    servers = trial.at(Replicated)
    old, new = servers.nodes
    old.call("CONFIG", "SET", "min-replicas-to-write", least)
    trial.shop.write(durability="{replicas: 1}" if least else "everysec")
    _warned(trial, not least)
    supervisor = trial.shop.up()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    trial.pause(1.0)
    at, before = trial.now(), trial.ended()
    servers.promote(1)
    trial.pause(APART)
    trial.bit(f"jobs that ended on the old primary, min-replicas-to-write {least}", trial.ended() - before)
    servers.follow(old, new)
    back = trial.now()
    trial.bit("splits")
    trial.recovers(back, RATE * 0.8, within=3.0)
    trial.stop_producing()
    trial.drain()
    gone = account(trial, at - LATEST, back, back)
    supervisor.signal(signal.SIGTERM)
    supervisor.ends()
    servers.failover()
    return gone


def _warned(trial: Trial, wanted: bool) -> None:
    """Whether doctor says that a primary that is cut off goes on taking writes."""
    checks = json.loads(trial.shop.command("doctor", "--json").stdout)["checks"]
    found = [one for one in checks if one["name"] == "min-replicas" and one["verdict"] == "WEAK"]
    trial.expect(bool(found) == wanted, f"doctor says of min-replicas-to-write: {found}")
    trial.bit("warnings of doctor", len(found))


CASE = Case(
    "F21",
    "split brain",
    f"a replica is made primary, and clients stay with the old one for {APART:g} s; min-replicas-to-write 1, then 0",
    inject,
    short=5,
    long=60,
    bites=("splits", "jobs gone without min-replicas-to-write", "warnings of doctor"),
    place=place,
)
