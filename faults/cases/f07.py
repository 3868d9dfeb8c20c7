"""F7: jobs that kill their process, beside a thousand good ones."""

import os
from pathlib import Path

from faults.case import Case
from faults.processes import command_of
from faults.trial import Trial

KILLERS = ("exit", "segfault", "kill", "abort", "litter")
PILLS = (*KILLERS, "gorge")
GOOD = 1000
MARK = f"60.{os.getpid():07}"
"""How long the processes sleep that a pill leaves behind: nobody else's sleep as long."""
RUNS = 3
"""A job that takes its process along is dead after so many runs."""


def inject(trial: Trial) -> None:
    supervisor = trial.shop.up()
    size = len(supervisor.workers())
    numbers = dict(zip(trial.random.sample(range(1, GOOD), len(PILLS)), PILLS, strict=True))
    total = GOOD + len(PILLS)
    producer = trial.produce(
        total / trial.seconds,
        payload=lambda n: {"pill": numbers[n], "mark": MARK} if n in numbers else {"seconds": 0.02},
    )
    trial.eventually(lambda: len(producer.sent.attempted) >= total, "a thousand jobs", trial.seconds + 30)
    trial.stop_producing()
    trial.drain()
    _look(trial, numbers)
    trial.eventually(lambda: len(supervisor.workers()) == size, f"{size} workers again")
    trial.eventually(lambda: not _litter(), "what a pill started is gone")


def _look(trial: Trial, numbers: dict[int, str]) -> None:
    """Every pill is dead after its runs, and nothing else is."""
    runs = trial.runs()
    (work,) = trial.audit()
    dead = {work.numbers[id] for id in work.ended("dead")}
    for number, pill in numbers.items():
        wanted = RUNS if pill in KILLERS else 1
        trial.expect(len(runs[number]) == wanted, f"{pill} ran {len(runs[number])} times, not {wanted}")
        for run in runs[number] if pill in KILLERS else ():
            trial.loses(run.pid, run.begin, run.begin + 1.0, pill)
        trial.bit(pill, len(runs[number]))
    trial.expect(dead == {*numbers}, f"dead are {sorted(dead)}, and the pills were {sorted(numbers)}")


def _litter() -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if command_of(pid).split() == ["sleep", MARK]]


CASE = Case(
    "F7",
    "poison pills",
    f"{GOOD} good jobs beside pills: {', '.join(PILLS)}",
    inject,
    short=5,
    long=60,
    bites=PILLS,
)
