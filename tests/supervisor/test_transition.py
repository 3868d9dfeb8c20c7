"""From one plan to another as a transaction, against a real broker; the fleet is of paper."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from pipeline.errors import BrokerUnavailable
from pipeline.plan import BrokerPlan, PoolPlan
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.state import state_folder
from pipeline.store import history, keys
from pipeline.store.call import run
from pipeline.store.history import Cause
from pipeline.supervisor import transition as transitions
from pipeline.supervisor.canary import CannotStart
from pipeline.supervisor.fleet import Fleet
from pipeline.supervisor.locks import QueueLocks
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.publish import Publisher
from pipeline.supervisor.transition import NeedsRestart, Rejected, Transition
from tests.supervisor.children import Office, PaperChild


class Wire:
    """A link that is there, or is not."""

    def __init__(self, connection):
        self.connection = connection
        self.doubted = False

    def doubt(self):
        self.doubted = True


class Stage:
    """A supervisor without processes. `rehearsed` are the canaries of the last attempt."""

    def __init__(self, plan, connection, monkeypatch):
        self.office = Office()
        self.lines: list[str] = []
        self.stopping = False
        self.fails: Exception | None = None
        self.rehearsed: dict[str, PaperChild] = {}
        self.during = lambda: None
        monkeypatch.setattr(Fleet, "_start", self._start)
        monkeypatch.setattr(Fleet, "rehearse", self._rehearse)
        self.fleet = Fleet(plan, None, "", Logs(lambda line: self.lines.append(line.line)), self.office)
        self.link = Wire(connection)
        self.publisher = Publisher("ours")
        self.locks = QueueLocks(state_folder(plan.root))
        self.locks.hold(self.fleet.held_queues)
        for pool in self.fleet.pools:
            pool.keep()
        for child in self.office.hired:
            child.ready()
        self.transition = Transition(
            self.fleet,
            self.publisher,
            self.link,  # type: ignore[arg-type]
            self.locks,
            lambda: self.stopping,
        )

    def _start(self, plan, queues, label, parent, *, alone=False, waits=False):
        return self.office.hire(queues, label, parent, alone=alone)

    async def _rehearse(self, plan, roll):
        if self.fails:
            raise self.fails
        self.rehearsed = {
            name: PaperChild(list(queues.values()), f"{name}.new", self.fleet)  # type: ignore[arg-type]
            for name, queues in self.fleet._come(plan, roll).items()
        }
        for child in self.rehearsed.values():
            child.loaded, child.serving, child.state = True, True, "running"
        self.during()
        return self.rehearsed

    async def make(self, plan, also=()):
        return await self.transition.make(plan, also, Cause("reload", "alice"))


@pytest.fixture
async def stage(connection, plan, monkeypatch):
    stage = Stage(plan, connection, monkeypatch)
    await stage.publisher.greet(connection, plan, "alice")
    yield stage
    stage.locks.keep(())


def changed(plan, hash="h2", handler="hands:work", more=(), **policy):
    queues = {"a": QueuePolicy("a", others=JobPolicy(handler=handler), **policy)}
    queues |= {name: QueuePolicy(name, others=JobPolicy(handler="hands:work")) for name in more}
    return replace(plan, hash=hash, queues=queues, pools={name: PoolPlan((name,)) for name in queues})


async def generations(connection):
    return [one.decode() for one in await connection.call(("LRANGE", keys.generations("test"), 0, -1))]


async def test_a_hot_change_is_published_kept_and_told(stage, plan, connection):
    new = changed(plan, concurrency=7)
    (change,) = await stage.make(new)
    assert change.path == "queues.a.concurrency"
    assert stage.fleet.plan is new
    assert stage.office.hired[0].told[0][0] == "policy"
    assert await generations(connection) == ["h1", "h2"]
    kept = {one.generation: one for one in await run(connection, history.read("test"))}
    assert (kept[2].by, kept[2].origin, kept[2].hash) == ("alice", "reload", "h2")


async def test_nothing_changed_is_no_generation_but_new_inputs_count(stage, plan, connection):
    same = replace(plan, inputs=("more.yaml",))
    assert await stage.make(same) is None
    assert stage.fleet.plan is same
    assert await generations(connection) == ["h1"]
    assert stage.office.hired[0].told == []


async def test_other_content_is_a_generation_even_if_it_means_the_same(stage, plan, connection):
    assert await stage.make(replace(plan, hash="h2")) == ()
    assert await generations(connection) == ["h1", "h2"]


async def test_it_waits_for_those_that_are_two_generations_behind(stage, plan):
    (old,) = stage.office.hired
    old.overtaken = 2
    making = asyncio.create_task(stage.make(changed(plan, handler="m:g")))
    await asyncio.sleep(0.05)
    assert stage.rehearsed == {}
    old.end(9)
    stage.office.hired[-1].ready()
    assert await asyncio.wait_for(making, 2)


async def test_new_code_without_a_change_is_no_generation(stage, plan, connection):
    assert await stage.transition.make(plan, ["a"], Cause("restart", "alice")) == ()
    assert await generations(connection) == ["h1"]
    assert stage.rehearsed["a"].told == ["go"]
    assert stage.office.hired[0].told[-1][0] == "drain"


async def test_what_needs_a_restart_is_refused_before_anything_is_tried(stage, plan, connection):
    new = replace(changed(plan, handler="m:g"), name="other", broker=BrokerPlan("redis://x"))
    with pytest.raises(NeedsRestart, match=r"name, broker\.url needs a restart"):
        await stage.make(new)
    assert (stage.rehearsed, stage.fleet.plan) == ({}, plan)
    assert await generations(connection) == ["h1"]


@pytest.mark.parametrize("fails", [CannotStart("a cannot start: SIGKILL", "where"), None])
async def test_what_cannot_be_proven_is_refused_and_nothing_of_it_stays(stage, plan, connection, fails):
    stage.fails = fails
    other = QueueLocks(state_folder(plan.root))
    if fails is None:
        other.hold(["c"])
    with pytest.raises(Rejected) as caught:
        await stage.make(changed(plan, handler="m:g", more=("b", "c")))
    assert not caught.value.transient
    assert ("SIGKILL" if fails else "queue 'c' is run already") in caught.value.message
    assert caught.value.help
    assert stage.fleet.plan is plan
    assert stage.fleet.coming == set()
    other.hold(["b"])  # and nobody holds it
    other.keep(())
    assert await generations(connection) == ["h1"]


async def test_queues_that_come_are_locked_and_those_that_go_are_freed_with_their_last_worker(stage, plan):
    other = QueueLocks(state_folder(plan.root))
    await stage.make(changed(plan, more=("b",)))
    with pytest.raises(Exception, match="queue 'b' is run already"):
        other.hold(["b"])
    await stage.make(changed(plan, "h3"))
    with pytest.raises(Exception, match="queue 'b' is run already"):
        other.hold(["b"])
    stage.rehearsed.clear()
    for child in list(stage.fleet.children):
        if "b" in child.boards:
            child.end()
    stage.locks.keep(stage.fleet.held_queues)
    other.hold(["b"])
    other.keep(())


async def test_without_a_broker_nothing_is_tried_and_the_reason_may_pass(stage, plan):
    stage.link.connection = None
    with pytest.raises(Rejected, match="the broker is away") as caught:
        await stage.make(changed(plan, handler="m:g"))
    assert caught.value.transient
    assert stage.rehearsed == {}


async def test_a_supervisor_that_stops_tries_nothing(stage, plan):
    stage.stopping = True
    with pytest.raises(Rejected, match="is stopping"):
        await stage.make(changed(plan, handler="m:g"))
    assert stage.rehearsed == {}


async def test_a_broker_that_goes_while_it_is_proven_ends_the_worker_that_went_ahead(stage, plan, connection):
    def during():
        stage.link.connection = None

    stage.during = during
    with pytest.raises(Rejected) as caught:
        await stage.make(changed(plan, handler="m:g"))
    assert caught.value.transient
    assert stage.rehearsed["a"].told == ["kill"]
    assert stage.fleet.plan is plan


@pytest.mark.parametrize("error", [BrokerUnavailable("gone"), TimeoutError()])
async def test_a_broker_that_does_not_take_it_is_doubted(stage, plan, monkeypatch, error):
    async def commit(*_):
        raise error

    monkeypatch.setattr(stage.publisher, "commit", commit)
    with pytest.raises(Rejected, match=r"gone|does not answer") as caught:
        await stage.make(changed(plan, handler="m:g"))
    assert caught.value.transient
    assert stage.link.doubted
    assert stage.rehearsed["a"].told == ["kill"]
    assert stage.fleet.plan is plan


async def test_a_stop_between_publishing_and_going_over_starts_nothing(stage, plan, connection, monkeypatch):
    commit = stage.publisher.commit

    async def commit_and_stop(*args):
        await commit(*args)
        stage.stopping = True

    monkeypatch.setattr(stage.publisher, "commit", commit_and_stop)
    await stage.make(changed(plan, handler="m:g"))
    assert stage.rehearsed["a"].told == ["kill"]
    assert stage.fleet.plan is plan
    assert await generations(connection) == ["h1", "h2"]


async def test_a_worker_that_does_not_answer_is_not_waited_for_for_ever(stage, plan, monkeypatch):
    monkeypatch.setattr(transitions, "APPLY_SECONDS", 0.01)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(PaperChild, "apply", lambda *_: never)
    assert await asyncio.wait_for(stage.make(changed(plan, concurrency=7)), 2)


async def test_from_the_first_word_to_the_last_nobody_else_speaks(stage, plan, monkeypatch):
    held = []
    commit = stage.fleet.commit

    def watched(*args):
        held.append(stage.publisher.changing.locked())
        return commit(*args)

    monkeypatch.setattr(stage.fleet, "commit", watched)
    async with stage.publisher.changing:
        making = asyncio.create_task(stage.make(changed(plan, concurrency=7)))
        await asyncio.sleep(0.05)
        assert stage.fleet.plan is plan
    await making
    assert held == [True]
    assert not stage.publisher.changing.locked()
