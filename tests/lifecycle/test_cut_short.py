"""Reloads that are cut short: whatever dies meanwhile, either the old plan runs on or the new one does."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.lifecycle.conftest import OwnServer, Written, make

GATE = """
import os, time
from pathlib import Path
HERE = Path(__file__).parent
(HERE / "importing.draft").write_text(str(os.getpid()))
(HERE / "importing.draft").rename(HERE / "importing")
while (HERE / "hold").exists():
    time.sleep(0.01)
from hands import work, other
"""


def queues(handler: str, more: str = "") -> str:
    return f"queues:\n  a: {{handler: '{handler}', concurrency: 4{more}}}\n"


OLD, NEW = queues("hands:work"), queues("gate:other")


class Gated(Written):
    """Its module `gate` says who imports it, and the import does not end while `hold` is there."""

    def hold(self) -> None:
        (self.root / "gate.py").write_text(GATE)
        (self.root / "hold").touch()

    def let_go(self) -> None:
        (self.root / "hold").unlink()

    def importer(self) -> int:
        """The process that imports, once it does."""
        path = self.root / "importing"
        self.eventually(path.exists, "somebody imports the gate")
        pid = int(path.read_text())
        path.unlink()
        return pid

    def begin_reload(self, text: str) -> subprocess.Popen[str]:
        """A reload that goes on while the test does."""
        self.write(text)
        return self.begin("reload")

    def up_and_busy(self) -> tuple[object, list[str]]:
        """A supervisor whose worker runs four jobs of 1.5 s, and holds more."""
        self.head = self.head.replace("10s", "10s, reload: {watch: false}")
        self.hold()
        run = self.up(OLD)
        ids = self.enqueue("a", *[{"seconds": 1.5}] * 4, *[{}] * 4)
        self.sees("begin", 4)
        return run, ids

    def all_ran_once(self, ids: list[str]) -> None:
        """Every job was completed, by its first run."""
        self.eventually(lambda: self.completed("a") == {*ids}, "all are completed")
        ran = [event.id for what in ("begin", "other") for event in self.events(what)]
        assert sorted(ran) == sorted(ids)
        assert {event.attempt for what in ("begin", "other") for event in self.events(what)} == {1}
        assert self.stats("a").get("reruns", 0) == 0


@pytest.fixture
def gated(broker):
    yield from make(broker, Gated)


def told(reload):
    out, err = reload.communicate(timeout=30)
    assert "Traceback" not in out + err, err
    return reload.returncode, out, err


# --- the worker that goes ahead -------------------------------------------------------------------------------


def test_one_that_is_killed_while_it_imports_changes_nothing(gated):
    run, ids = gated.up_and_busy()
    reload = gated.begin_reload(NEW)
    os.kill(gated.importer(), signal.SIGKILL)
    code, _, err = told(reload)
    assert (code, gated.generation()) == (1, 1)
    assert "a cannot start: SIGKILL" in err
    gated.all_ran_once(ids)
    assert run.stop() == 0


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("raise SystemExit", "SystemExit"),
        ("import time; print('x' * 10_000_000); raise ValueError('too loud')", "too loud"),
        ("import time; time.sleep(60)", "its imports did not end within 1s"),
        ("import os, time; os.fork() or time.sleep(60); raise OSError('forked')", "OSError: forked"),
    ],
)
def test_one_that_fails_in_any_way_is_told_and_nothing_of_it_stays(gated, module, reason):
    gated.head = gated.head.replace("10s", "10s, import_timeout: 1s, reload: {watch: false}")
    run = gated.up(OLD)
    before = run.children()
    (gated.root / "bad.py").write_text(module + "\ndef work(job): ...\n")
    reload = gated.reload(queues("bad:work"))
    assert reload.returncode == 1
    assert reason in reload.stderr
    gated.eventually(lambda: run.children() == before, "nothing of it stays")
    (record,) = gated.eventually(
        lambda: [one for one in gated.records() if one.state == "stale"], "status says so"
    )
    assert "a cannot start" in record.reason
    assert gated.generation() == 1
    assert run.stop() == 0


def test_one_that_forks_while_it_imports_serves_all_the_same(gated):
    run = gated.up(OLD)
    (gated.root / "forks.py").write_text(
        "import os\nif not os.fork():\n    os._exit(0)\nfrom hands import other\n"
    )
    assert gated.reload(queues("forks:other")).returncode == 0
    gated.enqueue("a", {})
    gated.sees("other")
    assert run.stop() == 0


# --- the supervisor -------------------------------------------------------------------------------------------


def test_a_supervisor_that_is_killed_before_the_commit_leaves_no_process_and_the_next_runs_the_file(gated):
    run, ids = gated.up_and_busy()
    reload = gated.begin_reload(NEW)
    family = [gated.importer(), *run.children()]
    run.signal(signal.SIGKILL)
    gated.eventually(lambda: all(map(gated.is_gone, family)), "nobody outlives it", 5)
    code, _, err = told(reload)
    assert code == 1
    assert "ended before it answered" in err
    assert gated.generation() == 1
    gated.let_go()
    again = gated.run()
    gated.eventually(lambda: gated.completed("a") == {*ids}, "all are completed")
    assert gated.generation() == 2
    assert again.stop() == 0


def test_a_supervisor_that_is_stopped_meanwhile_stops_and_publishes_nothing(gated):
    run, ids = gated.up_and_busy()
    reload = gated.begin_reload(NEW)
    ahead = gated.importer()
    assert run.stop() == 0
    assert told(reload)[0] == 1
    gated.eventually(lambda: gated.is_gone(ahead), "the worker that went ahead is gone")
    assert gated.generation() == 1
    assert "Traceback" not in run.output
    assert len(gated.events("end")) == 4
    assert gated.ask("LLEN", "{test:a}:wait:0") == len(ids) - 4


# --- the broker -----------------------------------------------------------------------------------------------


@pytest.fixture
def outage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pq", numbered=True)
    short = folder.parent.parent / f"pq-{os.getpid()}"
    short.mkdir()
    server = OwnServer(short)
    for project in make(server.url, Gated):
        project.eventually(project.ping, "the server")
        yield project, server
    server.kill()


def test_a_broker_that_dies_before_the_commit_only_delays_the_change(outage):
    gated, server = outage
    gated.hold()
    run = gated.up(OLD)
    gated.write(NEW)
    gated.importer()
    server.kill()
    gated.let_go()
    run.says("the broker is away")
    server.start()
    run.says("hands:work -> gate:other")
    # Until the new worker takes jobs the old one does.
    gated.eventually(lambda: gated.enqueue("a", {}) and gated.events("other"), "the new handler runs")
    assert run.output.count("NOT applied") == 1
    assert "Traceback" not in run.output
    assert run.stop() == 0


# --- workers after the commit ---------------------------------------------------------------------------------


def test_a_draining_worker_that_is_killed_gives_its_jobs_to_the_new_one(gated):
    run, ids = gated.up_and_busy()
    gated.let_go()
    assert told(gated.begin_reload(NEW))[0] == 0
    (old,) = {event.pid for event in gated.events("begin")}
    gated.kill(old)
    gated.eventually(lambda: gated.completed("a") == {*ids}, "all are completed")
    assert {event.id for event in gated.events("other")} == {*ids}
    assert gated.stats("a").get("failed", 0) == 0
    assert run.stop() == 0


def test_a_new_worker_that_is_killed_while_others_are_still_old_is_replaced_by_a_new_one(gated):
    gated.hold()
    run = gated.up(queues("hands:work", ", processes: 3"))
    old = set(run.children())
    reload = gated.begin_reload(queues("gate:other", ", processes: 3"))
    first = gated.importer()
    gated.let_go()
    second = gated.importer()
    gated.kill(second)
    gated.kill(first)
    assert told(reload)[0] == 0
    gated.eventually(lambda: len(now := set(run.children())) == 3 and not now & old, "three new ones")
    gated.enqueue("a", *[{}] * 5)
    gated.sees("other", 5)
    assert not gated.events("begin")
    assert run.stop() == 0


# --- other things that go on ----------------------------------------------------------------------------------


def test_two_reloads_at_once_are_one_after_the_other(gated):
    run, ids = gated.up_and_busy()
    first = gated.begin_reload(NEW)
    gated.importer()
    second = gated.begin_reload(queues("gate:other", ", priority: 3"))
    time.sleep(0.3)  # the second one waits
    gated.let_go()
    assert (told(first)[0], told(second)[0]) == (0, 0)
    assert (gated.generation(), gated.policy("a").others.priority) == (3, 3)
    gated.all_ran_once(ids)
    assert run.stop() == 0


def test_a_supervisor_that_is_quiet_stays_quiet_through_a_reload(gated):
    run = gated.up(OLD)
    assert gated.pipeline("quiet").returncode == 0
    text = queues("hands:other") + "  b: {handler: 'hands:other'}\n"
    assert gated.reload(text).returncode == 0
    for queue in "ab":
        gated.enqueue(queue, {})
    time.sleep(0.7)  # nothing happens
    assert not gated.events("other")
    assert gated.pipeline("quiet", "--off").returncode == 0
    assert {event.queue for event in gated.sees("other", 2)} == {"a", "b"}
    assert run.stop() == 0


def test_a_reload_while_the_first_workers_start_is_applied(gated):
    gated.hold()
    gated.write(queues("gate:other", ", processes: 2"))
    run = gated.run()
    gated.importer()
    reload = gated.begin_reload(queues("hands:work", ", processes: 2"))
    assert told(reload)[0] == 0
    gated.eventually(gated.pools_run, "it runs")
    gated.enqueue("a", {})
    gated.sees("end")
    gated.eventually(lambda: len(run.children()) == 2, "those of the first plan are gone")
    assert "cannot start" not in run.output
    assert run.stop() == 0


def test_a_pool_that_waits_for_its_next_try_or_gave_up_is_mended_by_a_reload(gated):
    gated.head = gated.head.replace(
        "10s", "10s, restart: {delay: 30s, max: 30s, give_up_after: 3}, reload: {watch: false}"
    )
    (gated.root / "gone.py").write_text("from hands import work\n")
    run = gated.up(queues("gone:work") + "  b: {handler: 'hands:work'}\n")
    (gated.root / "gone.py").unlink()
    for pid in run.children():
        gated.kill(pid)
    run.says("a tries again in")
    gated.write(queues("hands:other") + "  b: {handler: 'hands:work'}\n")
    reload = gated.pipeline("reload")
    assert reload.returncode == 0, reload.stderr
    gated.eventually(gated.pools_run, "both run")
    gated.enqueue("a", {})
    gated.sees("other")
    assert run.stop() == 0
