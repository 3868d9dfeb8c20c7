"""A worker that goes ahead: real processes, which import real modules."""

from __future__ import annotations

import asyncio
import os

import pytest

from pipeline.plan import WorkerPlan
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.supervisor import canary as canaries
from pipeline.supervisor.canary import Canary, CannotStart, rehearse
from pipeline.supervisor.child import Child
from pipeline.supervisor.logs import Logs
from tests.supervisor.children import until

GOOD = "def work(job): ...\n"


@pytest.fixture
async def make(root, monkeypatch):
    monkeypatch.setattr(canaries, "START_MS", 500)
    made = []

    def make(name, module=GOOD, limit=10_000):
        (root / f"{name}.py").write_text(module)
        queue = QueuePolicy(name, others=JobPolicy(handler=f"{name}:work"))

        def start(parent):
            logs = Logs(lambda line: None)
            return Child(
                WorkerPlan(name, "test", str(root), "unix:///nowhere", (queue,), waits=True),
                f"{name}.1",
                logs,
                parent,
            )

        made.append(Canary(name, start, limit))
        return made[-1]

    yield make
    for one in made:
        if one.child is not None:
            one.child.kill()
            await gone(one)


async def gone(*made):
    await until(lambda: all(one.child is None or one.child.state == "gone" for one in made))


async def test_it_is_ready_when_the_handlers_are_imported_and_then_waits(make):
    one, other = make("one"), make("other")
    found = await rehearse({"x": one, "y": other})
    assert {name: child.label for name, child in found.items()} == {"x": "one.1", "y": "other.1"}
    assert [child.state for child in found.values()] == ["running", "running"]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import nowhere\n", "bad cannot start: ModuleNotFoundError: No module named 'nowhere'"),
        ("import os; os._exit(4)\n", "bad cannot start: exit code 4"),
        ("import os; os.kill(os.getpid(), 9)\n", "bad cannot start: SIGKILL"),
        ("import time; time.sleep(60)\n", "bad cannot start: its imports did not end within 50ms"),
    ],
)
async def test_if_one_cannot_start_that_is_told_and_none_is_left(make, module, reason):
    one, bad = make("one"), make("bad", module, 50 if "sleep" in module else 10_000)
    with pytest.raises(CannotStart) as caught:
        await rehearse({"one": one, "bad": bad})
    assert caught.value.message.startswith(reason)
    assert bool(caught.value.help) == ("nowhere" in module)
    await gone(one, bad)
    boards = [board for child in (one.child, bad.child) if child for board in child.boards.values()]
    assert all(board._map.closed for board in boards)


async def test_a_rehearsal_that_is_given_up_leaves_none(make):
    made = {str(n): make(f"m{n}", "import time; time.sleep(60)\n") for n in range(3)}
    task = asyncio.create_task(rehearse(made))
    await until(lambda: all(one.child is not None for one in made.values()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(*made.values())


async def test_only_a_few_start_at_once_and_after_a_failure_no_more_of_them(make, monkeypatch):
    monkeypatch.setattr(canaries, "STARTS", 2)
    made = {str(n): make(f"m{n}", "import time; time.sleep(60)\n", 50) for n in range(6)}
    with pytest.raises(CannotStart):
        await rehearse(made)
    assert sum(one.child is not None for one in made.values()) <= 4
    await gone(*made.values())
    await asyncio.sleep(0.05)
    assert sum(one.child is not None for one in made.values()) <= 4


async def test_a_system_that_starts_no_process_is_a_reason_like_others(make):
    def start(parent):
        raise OSError(11, os.strerror(11))

    with pytest.raises(CannotStart, match="a cannot start: Resource temporarily unavailable"):
        await rehearse({"a": Canary("a", start, 1_000)})
