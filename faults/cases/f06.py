"""F6: handlers block their loop, or hold the GIL, for longer than the lease."""

from faults.case import Case
from faults.trial import Trial

LEASE = 3.0
QUEUES = """\
queues:
  work: {handler: "hands:work", processes: 2, concurrency: 10}
  block: {handler: "hands:stall", concurrency: 10}
  hold: {handler: "hands:hog", concurrency: 10}
"""


def inject(trial: Trial) -> None:
    trial.shop.write(QUEUES, lease=f"{LEASE:g}s")
    trial.shop.up()
    trial.rival(QUEUES, lease=f"{LEASE:g}s")
    trial.produce(60)
    for queue in ("block", "hold"):
        trial.produce(0.4, queue=queue, threads=1, payload=lambda _: {"seconds": LEASE + 1})
    trial.pause(trial.seconds)
    trial.stop_producing()
    trial.drain()
    for queue in ("block", "hold"):
        trial.expect(trial.stat("lost_leases", queue) == 0, f"a busy worker of {queue} lost its lease")
        trial.bit(f"times {queue} outlasted the lease", _long(trial, queue))


def _long(trial: Trial, queue: str) -> int:
    runs = [run for some in trial.runs().values() for run in some if run.queue == queue]
    return sum(run.end is not None and run.end - run.begin > LEASE for run in runs)


CASE = Case(
    "F6",
    "handlers that block",
    f"time.sleep in the loop, and C code that keeps the GIL, for {LEASE + 1:g} s each; lease {LEASE:g} s; a rival host",
    inject,
    short=4,
    long=60,
    bites=("times block outlasted the lease", "times hold outlasted the lease"),
)
