"""What is asked of a running supervisor, one thing at a time, and what it says of itself afterwards."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from pipeline.config.load import load
from pipeline.control import Outcome
from pipeline.store import keys
from pipeline.supervisor.canary import CannotStart
from pipeline.supervisor.reload import HELD, Reloader
from tests.supervisor.test_transition import Stage


def text(concurrency=1, more=""):
    return f"name: test\nqueues:\n  a: {{handler: 'hands:work', concurrency: {concurrency}{more}}}\n"


class Reloading(Stage):
    """A stage whose plans come from a file."""

    def __init__(self, file, connection, monkeypatch):
        self.file = file
        self.write(text())
        plan = load(file).plan
        assert plan is not None
        super().__init__(plan, connection, monkeypatch)
        self.reloader = Reloader(
            self.fleet,
            self.transition,
            self.publisher,
            self.link,  # type: ignore[arg-type]
            self.fleet._logs,
        )

    def write(self, text):
        self.file.write_text(text)

    async def reload(self, text, **options) -> Outcome:
        self.write(text)
        return await self.reloader.reload("alice", **options)


@pytest.fixture
async def stage(root, connection, monkeypatch):
    stage = Reloading(root / "p.yaml", connection, monkeypatch)
    await stage.publisher.greet(connection, stage.fleet.plan, "alice")
    yield stage
    stage.locks.keep(())


def standing(stage):
    one = stage.reloader
    return one.trouble, one.held, one.transient


async def test_a_change_is_applied_counted_and_told_line_by_line(stage):
    outcome = await stage.reload(text(5))
    assert (outcome.status, outcome.generation, outcome.reason) == ("applied", 2, None)
    assert outcome.changes == ["~ queues.a.concurrency  1 -> 5  (hot)"]
    assert stage.lines[-2].startswith("reload by alice: generation 2, in ")
    assert stage.lines[-1] == outcome.changes[0]
    assert (stage.reloader.applied, stage.reloader.failed) == (1, 0)
    assert stage.reloader.applied_at is not None
    assert standing(stage) == (None, False, False)


async def test_a_file_that_means_the_same_changes_nothing_and_ends_what_was_wrong(stage):
    assert (await stage.reload("queues: [")).status == "rejected"
    outcome = await stage.reload("# a comment\n" + text())
    assert (outcome.status, outcome.generation) == ("unchanged", 1)
    assert standing(stage) == (None, False, False)
    assert stage.reloader.applied == 0


async def test_findings_are_the_reason_and_are_said_once_but_told_each_time(stage):
    broken = text(more=", concurency: 3")
    outcomes = [await stage.reload(broken) for _ in range(2)]
    assert all("P101" in (outcome.reason or "") for outcome in outcomes)
    assert [outcome.status for outcome in outcomes] == ["rejected"] * 2
    assert len([line for line in stage.lines if line.startswith("NOT applied, generation 1")]) == 1
    assert stage.reloader.failed == 2
    assert standing(stage) == (outcomes[0].reason, False, False)


async def test_warnings_are_no_reason(stage):
    warned = "supervisor: {stop_timeout: 1s}\n" + text(2, ", timeout: 9s")
    outcome = await stage.reload(warned.replace("concurrency", "concurency"))
    assert "P101" in (outcome.reason or "")
    assert "warning" not in (outcome.reason or "")
    assert (await stage.reload(warned)).status == "applied"


async def test_what_needs_a_restart_is_said_to(stage):
    outcome = await stage.reload(text().replace("name: test", "name: other"))
    assert outcome.status == "restart_required"
    assert "pipeline run" in (outcome.reason or "")


async def test_what_may_pass_by_itself_is_marked_until_it_has_passed(stage, connection):
    stage.link.connection = None
    assert (await stage.reload(text(3))).transient
    assert standing(stage) == ("the broker is away", False, True)
    stage.link.connection = connection
    assert (await stage.reload(text(3))).status == "applied"
    assert standing(stage) == (None, False, False)


async def test_only_from_the_generation_that_a_person_saw(stage):
    outcome = await stage.reload(text(3), if_generation=7)
    assert (outcome.status, outcome.reason) == ("conflict", "generation 1 runs, not 7")
    assert (stage.reloader.failed, stage.fleet.plan.queues["a"].concurrency) == (0, 1)
    assert (await stage.reload(text(3), if_generation=1)).status == "applied"


async def test_new_inputs_are_known_even_if_the_file_is_wrong(stage, root):
    (root / "more.yaml").write_text("nonsense: 1\n")
    assert (await stage.reload("include: [more.yaml]\n" + text())).status == "rejected"
    assert str(root / "more.yaml") in stage.reloader.inputs


async def test_two_at_once_are_one_after_the_other(stage):
    order = []
    stage.during = lambda: order.append("prove")
    stage.write(text(2, ", executor: async"))
    first = asyncio.create_task(stage.reloader.reload("alice"))
    second = asyncio.create_task(stage.reloader.reload("bob"))
    assert ((await first).status, (await second).status) == ("applied", "unchanged")
    assert order == ["prove"]


async def test_new_code_says_nothing_about_the_file(stage):
    await stage.reload(text(more=", concurency: 3"))
    before = standing(stage)
    outcome = await stage.reloader.restart(["a"], "alice")
    assert (outcome.status, outcome.generation, outcome.changes) == ("applied", 1, [])
    assert standing(stage) == before
    assert stage.rehearsed["a"].told == ["go"]


# --- back -----------------------------------------------------------------------------------------------------


async def test_back_to_the_one_before_and_then_the_file_is_held(stage, connection):
    await stage.reload(text(2))
    outcome = await stage.reloader.rollback(None, "bob")
    assert (outcome.status, outcome.generation) == ("applied", 3)
    assert stage.fleet.plan.queues["a"].concurrency == 1
    assert standing(stage) == (HELD, True, False)
    assert await connection.call(("LLEN", keys.generations("test"))) == 3


async def test_a_held_file_is_free_when_it_is_applied_and_not_when_it_is_wrong(stage):
    await stage.reload(text(2))
    await stage.reloader.rollback(None, "bob")
    await stage.reload(text(more=", concurency: 3"))
    assert stage.reloader.held
    await stage.reload(text(4))
    assert standing(stage) == (None, False, False)


async def test_back_to_a_number_keeps_what_belongs_to_this_place(stage):
    for concurrency in (2, 3):
        await stage.reload(text(concurrency))
    stage.fleet.plan = replace(stage.fleet.plan, profile="dev", inputs=("x",), secrets=("s",))
    assert (await stage.reloader.rollback(1, "bob")).generation == 4
    plan = stage.fleet.plan
    assert (plan.queues["a"].concurrency, plan.profile, plan.inputs, plan.secrets) == (
        1,
        "dev",
        ("x",),
        ("s",),
    )
    assert plan.broker == load(stage.file).plan.broker  # type: ignore[union-attr]


async def test_the_one_before_is_the_last_that_says_something_else(stage):
    for concurrency in (2, 1):
        await stage.reload(text(concurrency))
    assert (await stage.reloader.rollback(None, "bob")).generation == 4
    assert stage.fleet.plan.queues["a"].concurrency == 2


async def test_a_way_back_that_cannot_be_gone_holds_nothing(stage):
    await stage.reload(text(2, ", executor: async"))
    stage.fails = CannotStart("a cannot start: SIGKILL")
    assert (await stage.reloader.rollback(None, "bob")).status == "rejected"
    assert standing(stage) == (None, False, False)


async def test_secrets_of_the_new_file_are_never_logged(stage, monkeypatch):
    hidden: list[object] = []
    monkeypatch.setattr(stage.fleet._logs, "hide", hidden.append)
    await stage.reload(text(2))
    assert hidden == [stage.fleet.plan.secrets]


async def test_back_to_what_runs_changes_nothing_and_holds_the_file(stage):
    assert (await stage.reloader.rollback(1, "bob")).status == "unchanged"
    assert stage.reloader.held


@pytest.mark.parametrize(
    ("to", "reason"), [(9, "generation 9 is not kept"), (None, "no older generation is kept")]
)
async def test_what_is_not_kept_is_refused_with_what_is_and_the_file_is_not_held(stage, to, reason):
    outcome = await stage.reloader.rollback(to, "bob")
    assert (outcome.status, outcome.reason) == ("rejected", f"{reason}\nthere are: 1")
    assert standing(stage) == (None, False, False)


async def test_without_a_broker_there_is_no_way_back(stage):
    stage.link.connection = None
    outcome = await stage.reloader.rollback(None, "bob")
    assert outcome.status == "rejected"
    assert "the broker is away" in (outcome.reason or "")


async def test_an_error_that_nobody_thought_of_refuses_the_file_and_ends_nothing(stage, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("pipeline.supervisor.reload.load", broken)
    outcome = await stage.reload(text(5))
    assert (outcome.status, outcome.generation) == ("rejected", 1)
    assert "this should not happen: RuntimeError: a fault of ours" in outcome.reason
    monkeypatch.undo()
    assert (await stage.reload(text(6))).status == "applied"
