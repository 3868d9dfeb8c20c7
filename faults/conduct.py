"""Conducts a case from its empty folder to its row."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.case import Case, Row
from faults.checker import Counts, Evidence, Verdict, judge
from faults.processes import TooLate, kill
from faults.shop import Shop
from faults.trial import Trial
from pipeline.errors import BrokerError

STOP_SECONDS = 10.0
MEMORY, ROOM = Path("/dev/shm"), 1 << 30


def conduct(case: Case, seed: int, *, long: bool = False, binary: str = "") -> Row:
    """Run a case. `binary` is the server program; the folder of a case that failed is kept, and named."""
    started = time.monotonic()
    # Short, for the path of a unix socket may have 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="pf-", dir=memory()))
    trial = Trial(case, folder, seed, long=long, binary=binary)
    verdict = Verdict(Counts(), 0, [])
    try:
        verdict = _conduct(trial)
    except (TooLate, BrokerError, RuntimeError, subprocess.TimeoutExpired) as error:
        trial.fails(f"{error}")
    except Exception:  # noqa: BLE001 - a mistake of the case is a row, too
        trial.fails(traceback.format_exc())
    finally:
        _tidy(trial)
    violations = [*trial.violations, *verdict.violations, *_toothless(trial)]
    if not violations:
        shutil.rmtree(folder, ignore_errors=True)
    return Row(
        case=case.name,
        title=case.title,
        injects=case.injects,
        counts=verdict.counts,
        extra=verdict.extra,
        bites=dict(trial.bites),
        figures={**trial.figures, **_seen(trial)},
        violations=violations,
        seconds=time.monotonic() - started,
        server=trial.version,
        folder=str(folder) if violations else "",
    )


def memory() -> Path | None:
    """A folder in memory, where there is room: what dies here are processes, and a busy disk would only be in the way."""
    with contextlib.suppress(OSError):
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
            return MEMORY
    return None


def _conduct(trial: Trial) -> Verdict:
    trial.place.start()
    trial.version = trial.place.version()
    trial.shop.write()
    trial.case.inject(trial)
    trial.stop_producing()
    trial.drain()
    status = _status(trial)
    for shop in trial.shops:
        _stop(trial, shop)
    return judge(Evidence(trial.sent, trial.shop.events(), trial.audit(), trial.losses, status))


def _status(trial: Trial) -> dict[str, Any]:
    """What people are shown at the end; a trial without a supervisor has none to show."""
    shop = next((shop for shop in trial.shops if any(one.runs for one in shop.supervisors)), None)
    return dict(shop.status()["queues"]) if shop else {}


def _stop(trial: Trial, shop: Shop) -> None:
    """What still runs ends with 0 when it is told to."""
    running = [one for one in shop.supervisors if one.runs]
    for one in running:
        one.process.terminate()
    for one in running:
        code = one.ends(STOP_SECONDS)
        if code != 0:
            trial.fails(f"pipeline run ended with {code}, not 0:\n{one.output[-1000:]}")


def _seen(trial: Trial) -> dict[str, str]:
    """What else a reader asks: the errors that callers saw."""
    errors = trial.sent.errors()
    return {"callers saw": ", ".join(f"{code} {times}" for code, times in errors.items())} if errors else {}


def _toothless(trial: Trial) -> Iterator[str]:
    for name in trial.case.bites:
        if not trial.bites[name]:
            yield f"the fault did not bite: {name} is 0"


def _tidy(trial: Trial) -> None:
    """Nothing that the trial started is left."""
    for producer in trial.producers:
        producer.stop()
    for shop in trial.shops:
        for one in shop.supervisors:
            kill(one.pid, *one.workers())
            one.process.wait()
    for proxy in trial.proxies:
        proxy.close()
    trial.place.kill()
