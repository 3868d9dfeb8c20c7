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


class Desk(Stage):
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
async def desk(root, connection, monkeypatch):
    desk = Desk(root / "p.yaml", connection, monkeypatch)
    await desk.publisher.greet(connection, desk.fleet.plan, "alice")
    yield desk
    desk.locks.keep(())


def standing(desk):
    one = desk.reloader
    return one.trouble, one.held, one.transient


async def test_a_change_is_applied_counted_and_told_line_by_line(desk):
    outcome = await desk.reload(text(5))
    assert (outcome.status, outcome.generation, outcome.reason) == ("applied", 2, None)
    assert outcome.changes == ["~ queues.a.concurrency  1 -> 5  (hot)"]
    assert desk.lines[-2].startswith("reload by alice: generation 2, in ")
    assert desk.lines[-1] == outcome.changes[0]
    assert (desk.reloader.applied, desk.reloader.failed) == (1, 0)
    assert desk.reloader.applied_at is not None
    assert standing(desk) == (None, False, False)


async def test_a_file_that_means_the_same_changes_nothing_and_ends_what_was_wrong(desk):
    assert (await desk.reload("queues: [")).status == "rejected"
    outcome = await desk.reload("# a comment\n" + text())
    assert (outcome.status, outcome.generation) == ("unchanged", 1)
    assert standing(desk) == (None, False, False)
    assert desk.reloader.applied == 0


async def test_findings_are_the_reason_and_are_said_once_but_told_each_time(desk):
    broken = text(more=", concurency: 3")
    outcomes = [await desk.reload(broken) for _ in range(2)]
    assert all("P101" in (outcome.reason or "") for outcome in outcomes)
    assert [outcome.status for outcome in outcomes] == ["rejected"] * 2
    assert len([line for line in desk.lines if line.startswith("NOT applied, generation 1")]) == 1
    assert desk.reloader.failed == 2
    assert standing(desk) == (outcomes[0].reason, False, False)


async def test_warnings_are_no_reason(desk):
    warned = "supervisor: {stop_timeout: 1s}\n" + text(2, ", timeout: 9s")
    outcome = await desk.reload(warned.replace("concurrency", "concurency"))
    assert "P101" in (outcome.reason or "")
    assert "warning" not in (outcome.reason or "")
    assert (await desk.reload(warned)).status == "applied"


async def test_what_needs_a_restart_is_said_to(desk):
    outcome = await desk.reload(text().replace("name: test", "name: other"))
    assert outcome.status == "restart_required"
    assert "pipeline run" in (outcome.reason or "")


async def test_what_may_pass_by_itself_is_marked_until_it_has_passed(desk, connection):
    desk.link.connection = None
    assert (await desk.reload(text(3))).transient
    assert standing(desk) == ("the broker is away", False, True)
    desk.link.connection = connection
    assert (await desk.reload(text(3))).status == "applied"
    assert standing(desk) == (None, False, False)


async def test_only_from_the_generation_that_a_person_saw(desk):
    outcome = await desk.reload(text(3), if_generation=7)
    assert (outcome.status, outcome.reason) == ("conflict", "generation 1 runs, not 7")
    assert (desk.reloader.failed, desk.fleet.plan.queues["a"].concurrency) == (0, 1)
    assert (await desk.reload(text(3), if_generation=1)).status == "applied"


async def test_new_inputs_are_known_even_if_the_file_is_wrong(desk, root):
    (root / "more.yaml").write_text("nonsense: 1\n")
    assert (await desk.reload("include: [more.yaml]\n" + text())).status == "rejected"
    assert str(root / "more.yaml") in desk.reloader.inputs


async def test_two_at_once_are_one_after_the_other(desk):
    order = []
    desk.during = lambda: order.append("prove")
    desk.write(text(2, ", executor: async"))
    first = asyncio.create_task(desk.reloader.reload("alice"))
    second = asyncio.create_task(desk.reloader.reload("bob"))
    assert ((await first).status, (await second).status) == ("applied", "unchanged")
    assert order == ["prove"]


async def test_new_code_says_nothing_about_the_file(desk):
    await desk.reload(text(more=", concurency: 3"))
    before = standing(desk)
    outcome = await desk.reloader.restart(["a"], "alice")
    assert (outcome.status, outcome.generation, outcome.changes) == ("applied", 1, [])
    assert standing(desk) == before
    assert desk.rehearsed["a"].told == ["go"]


# --- back -----------------------------------------------------------------------------------------------------


async def test_back_to_the_one_before_and_then_the_file_is_held(desk, connection):
    await desk.reload(text(2))
    outcome = await desk.reloader.rollback(None, "bob")
    assert (outcome.status, outcome.generation) == ("applied", 3)
    assert desk.fleet.plan.queues["a"].concurrency == 1
    assert standing(desk) == (HELD, True, False)
    assert await connection.call(("LLEN", keys.generations("test"))) == 3


async def test_a_held_file_is_free_when_it_is_applied_and_not_when_it_is_wrong(desk):
    await desk.reload(text(2))
    await desk.reloader.rollback(None, "bob")
    await desk.reload(text(more=", concurency: 3"))
    assert desk.reloader.held
    await desk.reload(text(4))
    assert standing(desk) == (None, False, False)


async def test_back_to_a_number_keeps_what_belongs_to_this_place(desk):
    for concurrency in (2, 3):
        await desk.reload(text(concurrency))
    desk.fleet.plan = replace(desk.fleet.plan, profile="dev", inputs=("x",), secrets=("s",))
    assert (await desk.reloader.rollback(1, "bob")).generation == 4
    plan = desk.fleet.plan
    assert (plan.queues["a"].concurrency, plan.profile, plan.inputs, plan.secrets) == (
        1,
        "dev",
        ("x",),
        ("s",),
    )
    assert plan.broker == load(desk.file).plan.broker  # type: ignore[union-attr]


async def test_the_one_before_is_the_last_that_says_something_else(desk):
    for concurrency in (2, 1):
        await desk.reload(text(concurrency))
    assert (await desk.reloader.rollback(None, "bob")).generation == 4
    assert desk.fleet.plan.queues["a"].concurrency == 2


async def test_a_way_back_that_cannot_be_gone_holds_nothing(desk):
    await desk.reload(text(2, ", executor: async"))
    desk.fails = CannotStart("a cannot start: SIGKILL")
    assert (await desk.reloader.rollback(None, "bob")).status == "rejected"
    assert standing(desk) == (None, False, False)


async def test_secrets_of_the_new_file_are_never_logged(desk, monkeypatch):
    hidden: list[object] = []
    monkeypatch.setattr(desk.fleet._logs, "hide", hidden.append)
    await desk.reload(text(2))
    assert hidden == [desk.fleet.plan.secrets]


async def test_back_to_what_runs_changes_nothing_and_holds_the_file(desk):
    assert (await desk.reloader.rollback(1, "bob")).status == "unchanged"
    assert desk.reloader.held


@pytest.mark.parametrize(
    ("to", "reason"), [(9, "generation 9 is not kept"), (None, "no older generation is kept")]
)
async def test_what_is_not_kept_is_refused_with_what_is_and_the_file_is_not_held(desk, to, reason):
    outcome = await desk.reloader.rollback(to, "bob")
    assert (outcome.status, outcome.reason) == ("rejected", f"{reason}\nthere are: 1")
    assert standing(desk) == (None, False, False)


async def test_without_a_broker_there_is_no_way_back(desk):
    desk.link.connection = None
    outcome = await desk.reloader.rollback(None, "bob")
    assert outcome.status == "rejected"
    assert "the broker is away" in (outcome.reason or "")
