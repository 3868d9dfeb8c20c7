"""When a changed file is applied, and when it is not tried again."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from pipeline.control import Outcome, Status
from pipeline.plan import ReloadPlan, SupervisorPlan
from pipeline.supervisor import watch
from pipeline.supervisor.watch import BY, Watcher
from tests.supervisor.children import until


class Reloads:
    """Puts down who reloads; `outcomes` are what comes of it."""

    def __init__(self, file):
        self.inputs = (str(file),)
        self.transient = self.held = False
        self.by = []
        self.status: Status = "applied"

    async def reload(self, by, if_generation=None):
        self.by.append(by)
        return Outcome(self.status, 1)

    async def rollback(self, to, by):
        self.held = self.status != "rejected"
        return Outcome(self.status, 1)


class Runs:
    """What a watcher asks of the fleet."""

    def __init__(self, plan):
        self.plan = plan


@pytest.fixture
def file(root):
    (root / "p.yaml").write_text("1")
    return root / "p.yaml"


@pytest.fixture
def reloads(file):
    return Reloads(file)


@pytest.fixture
async def watcher(plan, reloads, monkeypatch):
    monkeypatch.setattr(watch, "STEADY_SECONDS", 0.0)
    watcher = Watcher(Runs(plan), reloads)  # type: ignore[arg-type]
    await watcher.look()
    reloads.by.clear()
    return watcher


async def test_content_that_is_the_same_is_not_applied_again(watcher, reloads, file):
    file.write_text("1")
    assert await watcher.look() is None
    assert reloads.by == []


async def test_changed_content_is_applied_once_whatever_came_of_it(watcher, reloads, file):
    for status in ("applied", "rejected"):
        reloads.status = status
        file.write_text(status)
        assert (await watcher.look()).status == status
        assert await watcher.look() is None
    assert reloads.by == [BY, BY]


async def test_it_is_tried_again_while_what_stands_in_the_way_may_pass(watcher, reloads):
    reloads.transient = True
    await watcher.look()
    await watcher.look()
    reloads.transient = False
    await watcher.look()
    assert reloads.by == [BY, BY]


@pytest.fixture
def contents(watcher, monkeypatch):
    """What the files hold, one look after the other."""
    contents: list[str] = []

    async def fingerprint():
        return contents.pop(0)

    monkeypatch.setattr(watcher, "_fingerprint", fingerprint)
    return contents


async def test_a_file_that_is_being_written_is_left_to_settle(watcher, reloads, contents):
    contents += ["", "half", "whole", "whole", "whole", "next"]
    assert await watcher.look() is not None
    assert contents == ["whole", "next"]
    assert await watcher.look() is None


async def test_a_file_that_never_settles_is_applied_all_the_same(watcher, reloads, contents, monkeypatch):
    monkeypatch.setattr(watch, "STEADY_TRIES", 3)
    contents += "abcdef"
    assert await watcher.look() is not None
    assert contents == ["e", "f"]


async def test_what_a_person_applied_is_not_applied_again_by_itself(watcher, reloads, file):
    file.write_text("2")
    await watcher.reload("alice")
    assert await watcher.look() is None
    assert reloads.by == ["alice"]


async def test_what_a_person_did_not_apply_for_another_generation_ran_still_is_due(watcher, reloads, file):
    file.write_text("2")
    reloads.status = "conflict"
    await watcher.reload("alice", 7)
    assert await watcher.look() is not None


async def test_after_a_rollback_the_file_as_it_is_counts_as_seen_unless_it_failed(watcher, reloads, file):
    file.write_text("2")
    await watcher.rollback(None, "alice")
    assert await watcher.look() is None
    file.write_text("3")
    reloads.status = "rejected"
    await watcher.rollback(None, "alice")
    assert await watcher.look() is not None


async def test_it_looks_as_often_as_the_plan_says_and_not_while_the_plan_says_no(watcher, reloads, file):
    def rules(**reload):
        supervisor = SupervisorPlan(reload=ReloadPlan(interval=10, **reload))
        watcher._fleet.plan = replace(watcher._fleet.plan, supervisor=supervisor)

    rules(watch=False)
    task = asyncio.create_task(watcher.run())
    file.write_text("2")
    await asyncio.sleep(0.08)
    assert reloads.by == []
    rules(watch=True)
    await until(lambda: reloads.by)
    task.cancel()
