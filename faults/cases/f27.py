"""F27: a supervisor may open no more files, or start no more processes."""

import os
import subprocess

from faults.case import Case
from faults.shop import Supervisor
from faults.trial import Trial

RATE = 80
ANOTHER_USER = 65534
# Root may start any number of processes. Whoever takes its place may still read what is root's.
WITHOUT_ROOT = [
    "setpriv",
    f"--reuid={ANOTHER_USER}",
    "--clear-groups",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
]


def inject(trial: Trial) -> None:
    if os.getuid() == 0:
        trial.folder.chmod(0o711)
        os.chown(trial.shop.root, ANOTHER_USER, -1)
        trial.shop.before = WITHOUT_ROOT
    supervisor = trial.shop.up()
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 100})
    _without(trial, supervisor, "files", "--nofile", "Too many open files")
    _without(trial, supervisor, "processes", "--nproc", "Resource temporarily unavailable")


def _without(trial: Trial, supervisor: Supervisor, what: str, limit: str, reason: str) -> None:
    """Take away all that the supervisor does not have yet, and kill a worker; later give it back."""
    size, said = len(supervisor.workers()), supervisor.output.count(reason)
    before = _limit(trial, supervisor, limit)
    _limit(trial, supervisor, f"{limit}=1:")
    trial.kill(trial.busy(supervisor))
    trial.pause(trial.seconds / 2)
    tries = supervisor.output.count(reason) - said
    trial.bit(f"starts without {what}", tries)
    # Pauses double from 50 ms up to a second.
    trial.expect(tries <= 6 + trial.seconds, f"{tries} starts in {trial.seconds / 2:g} s: a crash loop")
    trial.expect(supervisor.runs, f"pipeline run ended when it had no more {what}")
    _limit(trial, supervisor, f"{limit}={before}:")
    trial.eventually(lambda: len(supervisor.workers()) == size, f"{size} workers again")
    trial.recovers(trial.now(), RATE * 0.8, within=3.0)


def _limit(trial: Trial, supervisor: Supervisor, option: str) -> str:
    """The soft limit of a supervisor; set when the option names one."""
    command = [*trial.shop.before, "prlimit", f"--pid={supervisor.pid}", option]
    asked = [] if "=" in option else ["--output=SOFT", "--noheadings", "--raw"]
    return subprocess.run([*command, *asked], capture_output=True, text=True, check=True).stdout.strip()


CASE = Case(
    "F27",
    "no more files, no more processes",
    "the supervisor may open no more files, then start no more processes, while a worker is killed",
    inject,
    short=6,
    long=20,
    bites=("starts without files", "starts without processes"),
)
