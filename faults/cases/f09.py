"""F9: a producer's jobs are stored, and it is not told."""

from faults.case import Case
from faults.trial import Trial
from pipeline.store.scripts import script

EVERY = 10


def inject(trial: Trial) -> None:
    proxy = trial.proxy()
    trial.shop.up()
    for name in ("enqueue", "enqueue_each"):
        proxy.drop_replies(EVERY, script(name).sha)
        producer = trial.produce(200, proxy.url, threads=4)
        trial.pause(trial.seconds / 2)
        sent = producer.stop()
        trial.expect(not sent.errors(), f"callers saw errors: {dict(sent.errors())}")
        trial.bit(f"replies to {name} lost", proxy.lost)
        proxy.lost = 0


CASE = Case(
    "F9",
    "reply to an enqueue lost",
    f"the proxy drops the reply of every {EVERY}th enqueue, after the job was stored",
    inject,
    short=4,
    long=40,
    bites=("replies to enqueue lost", "replies to enqueue_each lost"),
)
