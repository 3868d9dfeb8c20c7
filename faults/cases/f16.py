"""F16: the broker died while it wrote: the last record of its file is torn."""

import os

from faults.case import Case
from faults.rollback import account
from faults.trial import Trial

RATE = 100
LATEST = 1.0
"""Seconds before the death of the broker within which the last record was written."""


def inject(trial: Trial) -> None:
    trial.shop.up()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    deaths: list[tuple[float, float]] = []
    for _ in trial.rounds(0.5, 1.0):
        at = trial.now()
        trial.broker.kill()
        trial.bit("bytes torn off", _tear(trial))
        trial.broker.start()
        deaths.append((at, trial.now()))
        if trial.version.startswith("Redis"):
            _rewrite(trial)
        trial.recovers(deaths[-1][1], RATE * 0.8, within=3.0)
    trial.bit("files mended", (trial.folder / "log").read_text().count("loaded anyway"))
    trial.stop_producing()
    trial.drain()
    gone = sum(account(trial, at - LATEST, at, back) for at, back in deaths)
    trial.figures["rolled back"] = f"{gone} jobs in {len(deaths)} files"
    trial.expect(gone <= len(deaths), f"{gone} jobs went with {len(deaths)} records: one each at most")


def _tear(trial: Trial) -> int:
    """Cut the last record of the file in half; how many bytes that took."""
    file = max(trial.broker.folder.glob("appendonlydir/*.incr.aof"), key=lambda file: file.stat().st_mtime_ns)
    text = file.read_bytes()
    half = (text.rindex(b"\r\n*") + 2 + len(text)) // 2
    os.truncate(file, half)
    return len(text) - half


def _rewrite(trial: Trial) -> None:
    """Have the file written anew. Redis 7.0 leaves in it the half of a transaction whose end was torn off, and its
    next start would carry that out."""
    trial.broker.call("BGREWRITEAOF")
    trial.eventually(
        lambda: trial.broker.info("persistence")["aof_rewrite_in_progress"] == "0", "the file is rewritten"
    )
    trial.figures["after each start"] = "BGREWRITEAOF, which Redis needs after a torn file"


CASE = Case(
    "F16",
    "torn file",
    "SIGKILL to the broker, and the last record of its file is cut in half",
    inject,
    short=6,
    long=60,
    bites=("bytes torn off", "files mended"),
    server={"auto-aof-rewrite-percentage": "0"},
)
