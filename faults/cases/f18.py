"""F18: the broker's memory is full."""

import contextlib

from faults.case import Case
from faults.producer import Producer
from faults.trial import Trial
from pipeline import Client
from pipeline.errors import BrokerFull

RATE = 100
CHUNKS = (100, 1)
QUEUES = """\
queues:
  work: {handler: "hands:work", processes: 2, concurrency: 10}
  ballast: {handler: null}
"""


def inject(trial: Trial) -> None:
    trial.shop.write(QUEUES)
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    trial.shop.command("pause", "work")
    producer = trial.produce(RATE, threads=4)
    trial.pause(2.0)
    _flood(trial)
    trial.eventually(lambda: _refused(producer), "an enqueue is refused")
    before = trial.ended()
    resumed = trial.shop.command("resume", "work")
    trial.expect(resumed.returncode == 0, f"a queue of a full broker cannot be resumed: {resumed.stderr}")
    trial.eventually(lambda: not trial.open_jobs().get("work"), "a full broker is drained")
    trial.bit("jobs that ended while it was full", trial.ended() - before)
    trial.pause(trial.seconds)
    trial.bit("enqueues refused", _refused(producer))
    purged = trial.shop.command("purge", "ballast", "--yes")
    trial.expect(purged.returncode == 0, f"a full broker cannot be purged: {purged.stderr}")
    trial.recovers(trial.now(), RATE * 0.8, within=3.0)
    errors = producer.stop().errors()
    trial.expect(set(errors) == {"broker_full"}, f"callers saw {dict(errors)}, not broker_full alone")
    trial.expect(supervisor.workers() == workers, "a worker died of a full broker")


def _refused(producer: Producer) -> int:
    return len(producer.sent.refused)


def _flood(trial: Trial) -> None:
    """Fill the memory with jobs that nobody runs."""
    client = Client(trial.broker.url, "shop")
    job = ("job", {"n": -1, "fill": "x" * 10_000})
    with contextlib.closing(client):
        for chunk in CHUNKS:
            # What is on its way in takes memory, too: where no hundred fit in, some still do.
            with contextlib.suppress(BrokerFull):
                while True:
                    client.enqueue_many("ballast", [job] * chunk)
                    trial.bit("jobs of ballast", chunk)


CASE = Case(
    "F18",
    "memory full",
    "a queue that nobody works off is filled until the memory of 40 MB is full, then purged",
    inject,
    short=2,
    long=20,
    bites=("jobs of ballast", "enqueues refused", "jobs that ended while it was full"),
    server={"maxmemory": "40mb"},
)
