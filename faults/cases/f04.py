"""F4: a worker stands still for longer than the lease, and goes on."""

import signal
import time

from faults.case import Case
from faults.events import in_hand
from faults.processes import send
from faults.trial import Trial

LEASE = 3.0
OVERDUE = 7.0
QUEUES = """\
queues:
  work: {handler: "hands:work", processes: 2, concurrency: 10}
  brief: {handler: "hands:work", processes: 1, concurrency: 10, timeout: 500ms, retry: {attempts: 3}}
"""


def inject(trial: Trial) -> None:
    trial.shop.write(QUEUES, lease=f"{LEASE:g}s")
    supervisor = trial.shop.up()
    trial.rival(QUEUES, lease=f"{LEASE:g}s")
    trial.produce(60, payload=lambda number: {"seconds": number % 40 / 100})
    trial.produce(20, queue="brief", payload=lambda _: {"seconds": 0.2})
    trial.pause(1.0)
    since = time.monotonic()
    held, late = (_freeze(trial, queue, supervisor.workers()) for queue in ("work", "brief"))
    trial.pause(max(trial.seconds, OVERDUE + 1))
    trial.expect(
        late not in supervisor.workers(), "a frozen worker whose job is past its limit was not killed"
    )
    trial.expect(held in supervisor.workers(), "a frozen worker without a limit in sight was killed")
    trial.loses(late, since, time.monotonic(), "frozen past the limit of a job")
    send(held, signal.SIGCONT)
    trial.pause(1.0)
    trial.expect(trial.stat("lost_leases") == 0, "a worker that its supervisor vouched for lost its lease")


def _freeze(trial: Trial, queue: str, workers: list[int]) -> int:
    """SIGSTOP to a worker of a queue that has jobs in hand; its process."""

    def busy() -> list[int]:
        begun = in_hand(trial.shop.events())
        return [event.pid for event in begun if event.queue == queue and event.pid in workers]

    pid = int(trial.random.choice(trial.eventually(busy, f"{queue} has jobs in hand")))
    send(pid, signal.SIGSTOP)
    held = [event for event in in_hand(trial.shop.events()) if event.pid == pid]
    trial.bit(f"jobs in a frozen worker of {queue}", len(held))
    return pid


CASE = Case(
    "F4",
    "worker frozen",
    "SIGSTOP to a worker for longer than the lease, then SIGCONT; another with a job past its limit; a rival host",
    inject,
    short=8,
    long=20,
    bites=("jobs in a frozen worker of work", "jobs in a frozen worker of brief"),
)
