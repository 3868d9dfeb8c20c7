"""F15: the power of the broker's host fails: what was not on the disk is gone."""

import os
import signal
from pathlib import Path

from faults.case import Case
from faults.preload import build
from faults.rollback import account
from faults.trial import Trial

RATE = 100
WINDOW = 2.0
"""Seconds that everysec may lose, on a slow disk."""
TAIL = 10_000
"""Bytes that wait for a sync when the power fails under everysec."""


def inject(trial: Trial) -> None:
    trial.broker.environment["LD_PRELOAD"] = build("durable", trial.folder)
    for sync in ("always", "everysec"):
        _under(trial, sync)


def _under(trial: Trial, sync: str) -> None:
    """Cut the power once, or a few times, under this `appendfsync`; account for what that cost."""
    trial.broker.stop()
    trial.broker.options["appendfsync"] = sync
    trial.broker.start()
    trial.shop.write(durability="fsync" if sync == "always" else sync)
    supervisor = trial.shop.up()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    cuts = [_cut(trial, sync) for _ in range(max(round(trial.seconds / 6), 1))]
    trial.stop_producing()
    trial.drain()
    if sync == "everysec":
        gone = sum(account(trial, at - WINDOW, at, back) for at, back in cuts)
        trial.bit("jobs gone under everysec", gone)
        trial.figures["lost by everysec"] = f"{gone} jobs in {len(cuts)} cuts at {RATE}/s"
    supervisor.signal(signal.SIGTERM)
    supervisor.ends()


def _cut(trial: Trial, sync: str) -> tuple[float, float]:
    """One power cut, and the start after it: when each was."""
    trial.pause(trial.random.uniform(1.0, 2.0))
    if sync == "everysec":
        trial.eventually(lambda: _unsynced(trial) > TAIL, "something waits for a sync")
    at = trial.now()
    trial.broker.kill()
    trial.bit(f"cuts under {sync}")
    for file in _files(trial):
        before = file.stat().st_size
        os.truncate(file, _durable(file))
        trial.bit(f"bytes gone under {sync}", before - file.stat().st_size)
    trial.broker.start()
    back = trial.now()
    trial.recovers(back, RATE * 0.8, within=3.0)
    return at, back


def _files(trial: Trial) -> list[Path]:
    return [*trial.broker.folder.glob("appendonlydir/*.incr.aof")]


def _durable(file: Path) -> int:
    """How many bytes of a file the disk has."""
    note = file.with_name(f"{file.name}.durable")
    if not note.exists():
        raise RuntimeError("the server was started without the shim, or never syncs")
    return int(note.read_text() or 0)


def _unsynced(trial: Trial) -> int:
    return sum(file.stat().st_size - _durable(file) for file in _files(trial))


CASE = Case(
    "F15",
    "power cut",
    "SIGKILL to the broker, and its file is cut to what a sync had confirmed; appendfsync always, then everysec",
    inject,
    short=6,
    long=60,
    bites=(
        "cuts under always",
        "cuts under everysec",
        "bytes gone under everysec",
        "jobs gone under everysec",
    ),
    server={"auto-aof-rewrite-percentage": "0"},
    needs="a C compiler",
)
