"""Ours, as a user would run it: a project folder of each host's own, and `pipeline run FILE --plain`."""

from bench.ours import pipeline
from bench.peer import OURS
from faults.peers.subject import CONCURRENCY, EVERY, Place, Setting, Subject

HANDLER = """\
import journal


async def work(job):
    await journal.arun(job.data)
"""
CONFIG = """\
version: 1
name: faults
broker: {{url: '${{REDIS_URL}}'}}
{supervisor}queues:
  work: {{handler: work:work, concurrency: {concurrency}}}
"""
PROMISE = (
    "An accepted job runs at least once and ends in exactly one of completed, dead, cancelled; it is completed "
    "at most once."
)


def _subject(name: str, supervisor: str, settings: tuple[Setting, ...], faults: tuple[str, ...]) -> Subject:
    def commands(place: Place) -> list[list[str]]:
        config = place.folder / "configs" / "faults.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG.format(supervisor=supervisor, concurrency=CONCURRENCY))
        (place.folder / "work.py").write_text(HANDLER)
        return [pipeline("run", str(config), "--plain")]

    return Subject(
        name, OURS, "pipeline-queues", "f_ours", commands, settings, PROMISE, "its supervisor", faults
    )


SUBJECTS = (
    _subject("ours", "", (), EVERY),
    _subject(
        "ours (lease 5 s)",
        "supervisor: {lease: 5s}\n",
        (Setting("supervisor.lease: 5s", "a dead host is noticed after 5 s instead of 15"),),
        ("F0", "F3", "F3-idle"),
    ),
)
