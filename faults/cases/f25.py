"""F25: the clock of the broker jumps by an hour, forward and back, under workers that run."""

import struct
from pathlib import Path

from faults.case import Case
from faults.preload import build
from faults.shop import Supervisor
from faults.trial import Trial

RATE = 80
LEASE = 2.0
HOUR = 3600


def inject(trial: Trial) -> None:
    clock = trial.folder / "clock"
    _set(clock, 0)
    trial.broker.environment |= {"LD_PRELOAD": build("clock", trial.folder), "FAULTS_CLOCK": str(clock)}
    trial.broker.stop()
    trial.broker.start()
    trial.shop.write(lease=f"{LEASE:g}s")
    supervisor = trial.shop.up()
    other = trial.another_host("b")
    other.write(lease=f"{LEASE:g}s")
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 50})
    for hours in range(max(round(trial.seconds / 8), 1)):
        _jump(trial, supervisor, other.up(), clock, hours)


def _jump(trial: Trial, supervisor: Supervisor, others: Supervisor, clock: Path, hours: int) -> None:
    """An hour forward and two back; `others` die just before the second jump, and their jobs must not wait for it."""
    workers = supervisor.workers()
    trial.pause(1.0)
    _set(clock, (1 - hours) * HOUR)
    _told(trial, supervisor, "forward", hours + 1)
    trial.pause(LEASE + 1)
    trial.expect(trial.stat("lost_leases") == 0, "a clock that went forward cost leases")
    trial.recovers(trial.now(), RATE * 0.8, within=2.0)
    gone = others.workers()
    died = trial.kill_supervisor(others)
    _set(clock, -(1 + hours) * HOUR)
    _told(trial, supervisor, "back", hours + 1)
    # The ends of leases do not count for the time of one; then the lease of the dead may be as long.
    trial.pause(2 * LEASE + 2)
    trial.resumes(dict.fromkeys(gone, died), within=2 * LEASE + 2)
    trial.recovers(trial.now(), RATE * 0.8, within=2.0)
    trial.expect(supervisor.workers() == workers, "a worker died of the broker's clock")


def _set(clock: Path, seconds: int) -> None:
    """How far the broker's clock is off. The file is mapped by the server, so it stays the same one."""
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(struct.pack("q", seconds))


def _told(trial: Trial, supervisor: Supervisor, way: str, times: int) -> None:
    text = f"the clock of the broker went {way} by"
    trial.eventually(lambda: supervisor.output.count(text) >= times, f"it says {text!r}")
    trial.bit(f"jumps {way} that were told")


CASE = Case(
    "F25",
    "clock jumps",
    "the broker's clock jumps an hour forward and two back; a host dies just before it goes back",
    inject,
    short=8,
    long=60,
    bites=("jumps forward that were told", "jumps back that were told", "jobs interrupted"),
    needs="a C compiler",
)
