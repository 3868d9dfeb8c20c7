"""F23: the broker forgets its scripts, again and again."""

from faults.case import Case
from faults.trial import Trial


def inject(trial: Trial) -> None:
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    producer = trial.produce(150)
    for _ in trial.rounds(0.1, 0.1):
        trial.broker.call("SCRIPT", "FLUSH")
        trial.bit("flushes")
    seen = trial.broker.info("errorstats").get("errorstat_NOSCRIPT", "count=0")
    trial.bit("scripts that were not there", int(seen.removeprefix("count=")))
    sent = producer.stop()
    trial.expect(not sent.errors(), f"callers saw errors: {dict(sent.errors())}")
    trial.expect("NOSCRIPT" not in supervisor.output, "people were told of a script that was not there")
    trial.expect(supervisor.workers() == workers, "a worker died of a lost script")


CASE = Case(
    "F23",
    "scripts forgotten",
    "SCRIPT FLUSH every 100 ms",
    inject,
    short=4,
    long=60,
    bites=("flushes", "scripts that were not there"),
)
