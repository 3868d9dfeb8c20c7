"""A case is judged on real processes: what it breaks by hand is found, and a fault that does not bite is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.case import Case, Row, load
from faults.conduct import conduct
from faults.trial import Trial
from pipeline.store import keys

BASE = keys.base("shop", "work")


def case(inject: Callable[[Trial], None], *bites: str) -> Case:
    return Case("F0", "a test", "what a test does", inject, short=0.3, long=1, bites=bites)


@pytest.fixture
def judged(server) -> Iterator[Callable[..., Row]]:
    rows: list[Row] = []

    def run(inject: Callable[[Trial], None], *bites: str) -> Row:
        rows.append(conduct(case(inject, *bites), seed=1))
        return rows[-1]

    yield run
    for row in rows:
        if row.folder:
            shutil.rmtree(row.folder)


def work(trial: Trial) -> None:
    """Some jobs, all of them done."""
    trial.shop.up()
    trial.produce(100)
    trial.pause(trial.seconds)
    trial.stop_producing()
    trial.drain()


def test_a_case_in_which_nothing_is_lost_passes_and_leaves_nothing_behind(judged):
    row = judged(work)
    assert row.violations == []
    assert row.counts.attempted == row.counts.acknowledged == row.counts.ok > 20
    assert row.folder == ""


def test_a_fault_that_did_not_bite_fails_its_case(judged):
    def inject(trial: Trial) -> None:
        work(trial)
        trial.bit("kills", 0)

    assert judged(inject, "kills").violations == ["the fault did not bite: kills is 0"]


def test_a_job_that_the_broker_forgot_is_lost(judged):
    def inject(trial: Trial) -> None:
        trial.shop.up()
        trial.shop.command("pause", "work")
        trial.produce(100)
        trial.pause(trial.seconds)
        trial.stop_producing()
        level = keys.wait(BASE, 0)
        id = trial.broker.call("LPOP", level)
        trial.broker.call("HDEL", keys.jobs(BASE), id)
        trial.shop.command("resume", "work")

    row = judged(inject)
    assert row.counts.lost == 1
    assert "1 lost" in row.violations[0]
    assert Path(row.folder, "events").exists()


def test_a_second_completion_and_a_key_that_should_be_gone_are_found(judged):
    def inject(trial: Trial) -> None:
        work(trial)
        id = trial.broker.call("LINDEX", keys.completed(BASE), 3)
        trial.broker.call("LPUSH", keys.completed(BASE), id)
        trial.broker.call("LPUSH", keys.inbox(BASE, "nobody"), "")

    violations = judged(inject).violations
    assert any("is in 2 places: completed, completed" in line for line in violations)
    assert f"keys that should be gone: {BASE}:inbox:nobody" in violations


def test_a_kill_that_nobody_wrote_down_leaves_extra_runs_without_a_reason(judged):
    def inject(trial: Trial) -> None:
        supervisor = trial.shop.up()
        trial.produce(100, payload=lambda _: {"seconds": 0.3})
        trial.pause(1.0)
        trial.kill(supervisor.workers()[0])
        trial.losses.clear()

    row = judged(inject)
    assert row.extra > 0
    assert all("ran again without a reason" in line or "of this kind" in line for line in row.violations)


def test_a_job_that_is_stuck_is_told_and_so_is_a_supervisor_that_ends_badly(judged):
    def inject(trial: Trial) -> None:
        trial.stuck_seconds = 1.0
        supervisor = trial.shop.up()
        trial.produce(100, payload=lambda _: {"seconds": 30})
        trial.pause(trial.seconds)
        trial.stop_producing()
        supervisor.process.kill()

    violations = judged(inject).violations
    assert "stuck after the fault" in violations[0]
    assert any("has not ended: active" in line for line in violations)


def test_a_mistake_in_a_case_is_a_row_that_says_so(judged):
    def inject(trial: Trial) -> None:
        raise KeyError("oops")

    row = judged(inject)
    assert "KeyError: 'oops'" in row.violations[0]


def test_every_case_says_what_must_have_bitten():
    cases = load()
    assert list(cases) == sorted(cases, key=lambda name: int(name[1:]))
    for name, one in cases.items():
        assert one.name == name
        assert one.bites, f"{name} could pass without its fault"
        assert one.short <= 12, f"{name} is too long for the short form"
