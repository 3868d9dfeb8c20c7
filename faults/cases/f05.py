"""F5: a host stands still, another takes its jobs over, and it goes on."""

import signal

from faults.case import Case
from faults.processes import send
from faults.shop import Supervisor
from faults.trial import Trial

LEASE = 2.0
ASLEEP = LEASE + 2


def inject(trial: Trial) -> None:
    other = trial.another_host("b")
    for shop in (trial.shop, other):
        shop.write(lease=f"{LEASE:g}s")
    supervisor = trial.shop.up()
    other.up()
    trial.produce(80, payload=lambda number: {"seconds": number % 40 / 50})
    for turn in trial.rounds(1.0, 1.5, first=2):
        whole = turn % 2 == 0
        _freeze(trial, supervisor, whole=whole)
        trial.bit("hosts frozen" if whole else "supervisors frozen")
    trial.bit("writes of zombies refused", trial.stat("lost_leases"))


def _freeze(trial: Trial, supervisor: Supervisor, *, whole: bool) -> None:
    """One standstill: of the whole host, or of the supervisor while its workers go on without a lease."""
    workers, since = supervisor.workers(), trial.now()
    stopped = [supervisor.pid, *workers] if whole else [supervisor.pid]
    for pid in stopped:
        send(pid, signal.SIGSTOP)
    trial.pause(ASLEEP)
    # The workers first: whatever they still say must be refused, before their supervisor can end them.
    for pid in reversed(stopped):
        send(pid, signal.SIGCONT)
        trial.pause(0.1)
    supervisor.says("stood still for", trial.bites["hosts frozen"] + trial.bites["supervisors frozen"] + 1)
    trial.eventually(
        lambda: not {*workers} & {*supervisor.workers()}, "a host that overslept ends its workers"
    )
    for pid in workers:
        trial.loses(pid, since, trial.now(), "without a lease")
    trial.eventually(supervisor.workers, "it works again")
    held = {run.number for runs in trial.runs().values() for run in runs[1:] if runs[0].pid in workers}
    trial.bit("jobs that another host ran", len(held))


CASE = Case(
    "F5",
    "host frozen, and taken for dead",
    f"SIGSTOP to everything of one host, or to its supervisor alone, for {ASLEEP:g} s; lease {LEASE:g} s",
    inject,
    short=7,
    long=60,
    bites=("hosts frozen", "supervisors frozen", "jobs that another host ran", "writes of zombies refused"),
)
