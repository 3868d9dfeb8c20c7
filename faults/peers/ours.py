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
  work: {{handler: work:work, concurrency: {concurrency}, max_crashes: 10}}
"""
CRASHES = Setting(
    "max_crashes: 10",
    "a limit that the kills cannot reach (3, after which a job is dead, kept for a person: with that, two runs of F1 "
    "on a busy machine ended two and three jobs dead)",
)
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
    _subject("ours", "", (CRASHES,), EVERY),
    _subject(
        "ours (lease 5 s)",
        "supervisor: {lease: 5s}\n",
        (Setting("supervisor.lease: 5s", "when a dead host is noticed (15 s)"), CRASHES),
        ("F0", "F3", "F3-idle"),
    ),
)
