"""F5: a whole host stands still, another takes its jobs over, and it goes on."""

import signal
import time

from faults.case import Case
from faults.processes import send
from faults.trial import Trial

LEASE = 2.0
ASLEEP = LEASE + 3


def inject(trial: Trial) -> None:
    other = trial.another_host("b")
    for shop in (trial.shop, other):
        shop.write(lease=f"{LEASE:g}s")
    frozen = trial.shop.up()
    other.up()
    trial.produce(80, payload=lambda number: {"seconds": number % 40 / 50})
    for _ in trial.rounds(1.0, 1.5):
        workers = frozen.workers()
        since = time.monotonic()
        for pid in (frozen.pid, *workers):
            send(pid, signal.SIGSTOP)
        trial.pause(ASLEEP)
        # The workers first: what they finished while others have their jobs must be refused.
        for pid in workers:
            send(pid, signal.SIGCONT)
        trial.pause(0.3)
        send(frozen.pid, signal.SIGCONT)
        frozen.says("stood still for", trial.bites["hosts frozen"] + 1)
        for pid in workers:
            trial.loses(pid, since, time.monotonic(), "frozen past the lease")
        trial.bit("hosts frozen")
        trial.eventually(lambda old=workers: {*frozen.workers()} - {*old}, "the host works again")
    trial.bit("writes of zombies refused", trial.stat("lost_leases"))


CASE = Case(
    "F5",
    "host frozen, and taken for dead",
    f"SIGSTOP to everything of one host for {ASLEEP:g} s, while another one runs; lease {LEASE:g} s",
    inject,
    short=2,
    long=60,
    bites=("hosts frozen", "writes of zombies refused"),
)
