"""F17: the disk of the broker is full for longer than the lease."""

import resource
import shlex
import subprocess
from pathlib import Path
from typing import Protocol

from faults.broker import Broker
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
# Where nothing may be mounted its files can grow no further, for the same error to the same call.
UNDER_A_LIMIT = """\
#!/bin/sh
trap '' XFSZ
exec {server} "$@"
"""


class Disk(Protocol):
    """What a broker writes on."""

    def fill(self) -> int:
        """From now on nothing more can be written; how many bytes that took."""

    def empty(self) -> None:
        """There is room again."""


class Mounted:
    """A small disk, filled with a file."""

    def __init__(self, broker: Broker) -> None:
        disk = broker.folder / "disk"
        disk.mkdir()
        _restart(broker, ON_A_DISK, disk=shlex.quote(str(disk)))
        self._filler = Path(f"/proc/{broker.pid}/root{disk}/filler")

    def fill(self) -> int:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return file.tell()
        return 0

    def empty(self) -> None:
        self._filler.unlink()


class Limited:
    """A limit on the size of files."""

    def __init__(self, broker: Broker) -> None:
        _restart(broker, UNDER_A_LIMIT)
        self._broker = broker

    def fill(self) -> int:
        size = max(file.stat().st_size for file in self._broker.folder.glob("appendonlydir/*"))
        resource.prlimit(self._broker.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return size

    def empty(self) -> None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self._broker.pid, resource.RLIMIT_FSIZE, unlimited)


def _restart(broker: Broker, script: str, **parts: str) -> None:
    """Start the broker by a script."""
    start = broker.folder / "start"
    start.write_text(script.format(size=SIZE, server=shlex.quote(broker.binary), **parts))
    start.chmod(0o700)
    broker.stop()
    broker.binary = str(start)
    broker.start()


def _disk(trial: Trial) -> Disk:
    tried = subprocess.run(
        ["unshare", "-Urm", "mount", "-t", "tmpfs", "x", "/tmp"], capture_output=True, check=False
    )
    mounted = tried.returncode == 0
    trial.figures["the disk"] = f"a tmpfs of {SIZE} MiB" if mounted else "a limit on the size of files"
    return Mounted(trial.broker) if mounted else Limited(trial.broker)


def inject(trial: Trial) -> None:
    disk = _disk(trial)
    other = trial.another_host("b")
    supervisors = []
    for shop in (trial.shop, other):
        shop.write(lease=f"{LEASE:g}s")
        supervisors.append(shop.up())
    workers = [one.workers() for one in supervisors]
    producer = trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    trial.pause(1.0)
    trial.bit("bytes until it was full", disk.fill())
    trial.eventually(lambda: producer.sent.refused, "an enqueue is refused")
    trial.pause(max(trial.seconds, LEASE + 1))
    trial.bit("enqueues refused", len(producer.sent.refused))
    disk.empty()
    trial.recovers(trial.now(), RATE * 0.8, within=3.0)
    errors = producer.stop().errors()
    trial.expect(set(errors) == {"broker_full"}, f"callers saw {dict(errors)}, not broker_full alone")
    trial.expect(trial.stat("lost_leases") == 0, "a full disk cost leases")
    trial.expect([one.workers() for one in supervisors] == workers, "a worker died of a full disk")


CASE = Case(
    "F17",
    "disk full",
    f"the broker's disk of {SIZE} MiB is filled up for longer than the lease of {LEASE:g} s, then emptied",
    inject,
    short=4,
    long=30,
    bites=("bytes until it was full", "enqueues refused"),
)
