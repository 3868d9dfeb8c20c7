"""F17: the disk of the broker is full for longer than the lease."""

import shlex
import subprocess
from pathlib import Path

from faults.case import Case
from faults.trial import Trial

RATE = 80
LEASE = 2.0
SIZE = 16
"""MiB of the disk."""
# A disk of the server's own, which nobody else sees, and which goes with it.
ON_A_DISK = """\
#!/bin/sh
exec unshare -Urm sh -c 'mount -t tmpfs -o size={size}m disk "$0" && exec {server} "$@" --dir "$0"' {disk} "$@"
"""


def inject(trial: Trial) -> None:
    disk = _small_disk(trial)
    other = trial.another_host("b")
    supervisors = []
    for shop in (trial.shop, other):
        shop.write(lease=f"{LEASE:g}s")
        supervisors.append(shop.up())
    workers = [one.workers() for one in supervisors]
    producer = trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    trial.pause(1.0)
    _fill(trial, disk / "filler")
    trial.eventually(lambda: producer.sent.refused, "an enqueue is refused")
    trial.pause(max(trial.seconds, LEASE + 1))
    trial.bit("enqueues refused", len(producer.sent.refused))
    (disk / "filler").unlink()
    trial.recovers(trial.now(), RATE * 0.8, within=3.0)
    errors = producer.stop().errors()
    trial.expect(set(errors) == {"broker_full"}, f"callers saw {dict(errors)}, not broker_full alone")
    trial.expect(trial.stat("lost_leases") == 0, "a full disk cost leases")
    trial.expect([one.workers() for one in supervisors] == workers, "a worker died of a full disk")


def _small_disk(trial: Trial) -> Path:
    """Start the broker on a small disk: where we see that. Raises RuntimeError where we may mount none."""
    tried = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise RuntimeError(f"this case mounts a small disk, and may not: {tried.stderr}")
    disk = trial.folder / "disk"
    disk.mkdir()
    start = trial.folder / "on-a-disk"
    server = shlex.quote(trial.broker.binary)
    start.write_text(ON_A_DISK.format(size=SIZE, server=server, disk=shlex.quote(str(disk))))
    start.chmod(0o700)
    trial.broker.stop()
    trial.broker.binary = str(start)
    trial.broker.start()
    return Path(f"/proc/{trial.broker.pid}/root{disk}")


def _fill(trial: Trial, filler: Path) -> None:
    """Write until nothing fits any more."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                trial.bit("KiB of filler", file.write(bytes(4096)) // 1024)
        except OSError as error:
            trial.figures["the disk says"] = error.strerror or ""


CASE = Case(
    "F17",
    "disk full",
    f"the broker's disk of {SIZE} MiB is filled up for longer than the lease of {LEASE:g} s, then emptied",
    inject,
    short=4,
    long=30,
    bites=("KiB of filler", "enqueues refused"),
)
