"""Dead letters and alerts, with real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from pipeline.control import Request, ask_all
from pipeline.job import Letter, LetterError, decode_job
from pipeline.policy import DeadLetter
from pipeline.store import keys
from tests.alerts.receiver import Receiver, receiving

MORGUE = keys.base("test", "morgue")
# It blocks its worker in the moment in which the copy of job 1 is there, and the job not settled yet.
WITNESS = """
import asyncio, time
import hands
from pipeline.broker import parse
from pipeline.store.connect import connect_blocking

async def go(job):
    hands.note("begin", job)
    if job.data["what"] == "fail":
        raise ValueError("no")
    connection = connect_blocking(parse(job.data["broker"]))
    if job.data["again"] < job.attempt or connection.call(("HEXISTS", "{test:morgue}:jobs", "a:1")):
        return
    while not connection.call(("HEXISTS", "{test:morgue}:jobs", "a:1")):
        await asyncio.sleep(0)
    hands.note("seen", job)
    time.sleep(60)
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def copies(project):
    return sorted(id.decode() for id in project.ask("HKEYS", keys.jobs(MORGUE)) if id)


def test_a_dead_job_has_its_copy_and_somebody_is_told(written, receiver):
    alerts = f"alerts: {{oncall: {{url: '{receiver.url}/hook'}}}}\n"
    queues = """queues:
  a: {handler: "hands:fail", dead_letter: {queue: morgue, alert: oncall}}
  morgue: {handler: null}
"""
    run = written.up(alerts + queues)
    (id,) = written.enqueue("a", {"charge": 1})
    (told,) = receiver.got(1)
    assert told["text"].splitlines() == [
        "test: a job of a died",
        "1 x ValueError: no (" + told["groups"][0]["where"] + ")",
        f"one of them: pipeline dead show a {id}",
    ]
    assert told["groups"][0]["where"].endswith("hands.py:fail")
    copy = decode_job(written.ask("HGET", keys.jobs(MORGUE), f"a:{id}"))
    assert (copy.name, copy.data) == ("job", {"charge": 1})
    assert copy.dead_letter == Letter("a", id, 1, LetterError("ValueError", "no"))
    written.write("queues: {a: {handlr: x}}\n")
    ask_all(written.root, Request("reload"), lambda _: None)
    assert receiver.got(2)[1]["event"] == "rejected"
    assert run.stop() == 0


def test_a_worker_that_is_killed_between_the_copy_and_the_end_leaves_one_copy(project):
    (project.root / "mixed.py").write_text(WITNESS)
    project.queue("a", "mixed:go", concurrency=2, dead_letter=DeadLetter("morgue"))
    project.enqueue("a", {"what": "fail"}, {"what": "watch", "broker": project.address(), "again": 1})
    run = project.run()
    (seen,) = project.sees("seen")
    assert (copies(project), project.dead("a")) == (["a:1"], {})
    os.kill(seen.pid, signal.SIGKILL)
    project.eventually(lambda: project.dead("a"), "the job is dead")
    project.eventually(lambda: project.completed("a"), "the witness has ended")
    assert len([event for event in project.events("begin") if event.id == "1"]) == 2
    assert (copies(project), project.dead("a")) == (["a:1"], {"1": "ValueError"})
    assert run.stop() == 0


def test_a_job_that_its_crashes_killed_has_its_copy_too(project):
    project.queue("a", "hands:die", max_crashes=1, dead_letter=DeadLetter("morgue"))
    (id,) = project.enqueue("a", {})
    run = project.run()
    project.eventually(lambda: project.dead("a"), "the job is dead")
    assert copies(project) == [f"a:{id}"]
    assert run.stop() == 0


def test_a_pool_that_gives_up_is_told_before_the_supervisor_ends(written, receiver):
    written.root.joinpath("flaky.py").write_text(
        "import os\nif os.path.exists(os.path.dirname(__file__) + '/broken'): os._exit(3)\nfrom hands import work\n"
    )
    written.head = written.head.replace(
        "stop_timeout: 10s", "stop_timeout: 10s, restart: {delay: 20ms, max: 50ms, give_up_after: 2}"
    )
    alerts = f"alerts: {{oncall: {{url: '{receiver.url}'}}}}\n"
    run = written.up(alerts + "queues: {a: {handler: 'flaky:work'}}\n")
    written.root.joinpath("broken").touch()
    (record,) = written.records()
    written.kill(record.workers[0].pid)
    assert run.ends() == 1
    (told,) = receiver.bodies
    assert (told["event"], told["subject"]) == ("fatal", "a")
