"""F22: the broker comes back with an older state, under workers that run."""

import shutil

from faults.case import Case
from faults.events import in_hand
from faults.rollback import account
from faults.shop import Supervisor
from faults.trial import Trial

RATE = 80
WORKERS = 2
FOLDER = "appendonlydir"


def inject(trial: Trial) -> None:
    trial.shop.write(lease="2s")
    supervisor = trial.shop.up()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 50 if number % 40 else 3})
    times = [_go_back(trial, supervisor) for _ in range(max(round(trial.seconds / 6), 1))]
    trial.bit("leases lost", supervisor.output.count("lost the lease of"))
    trial.bit("workers unknown to the older state", supervisor.output.count("lost its lease"))
    trial.stop_producing()
    trial.drain()
    gone = sum(account(trial, *when) for when in times)
    trial.figures["rolled back"] = f"{gone} jobs"


def _go_back(trial: Trial, supervisor: Supervisor) -> tuple[float, float, float]:
    """One return to an older state: when that was put aside, when the broker stopped, and when it was back.

    A worker dies in between: its successor is not in the older state, and it itself is.
    """
    trial.pause(1.0)
    copied, data, older = trial.now(), trial.folder / FOLDER, trial.folder / "older"
    shutil.copytree(data, older)
    trial.kill(trial.random.choice(supervisor.workers()))
    trial.eventually(lambda: _all_busy(trial, supervisor), "every worker has jobs in hand")
    trial.pause(trial.random.uniform(0.5, 2.0))
    trial.bit("jobs in hand", len(in_hand(trial.shop.events())))
    trial.broker.stop()
    stopped = trial.now()
    shutil.rmtree(data)
    older.rename(data)
    trial.broker.start()
    back = trial.now()
    trial.recovers(back, RATE * 0.8, within=5.0)
    return copied, stopped, back


def _all_busy(trial: Trial, supervisor: Supervisor) -> bool:
    busy, workers = {event.pid for event in in_hand(trial.shop.events())}, {*supervisor.workers()}
    return len(workers) == WORKERS and workers <= busy


CASE = Case(
    "F22",
    "state goes back",
    "the broker is stopped and comes back with the files of some seconds before",
    inject,
    short=6,
    long=60,
    bites=("jobs in hand", "leases lost", "workers unknown to the older state"),
    server={"auto-aof-rewrite-percentage": "0"},
)
