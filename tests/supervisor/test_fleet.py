"""The pools of a plan, and how they go over to another one."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from pipeline.errors import StartError
from pipeline.plan import PoolPlan, SupervisorPlan
from pipeline.policy import JobPolicy, QueuePolicy, Timeout
from pipeline.supervisor.fleet import Fleet, choose, keep_handlers, staff
from pipeline.supervisor.logs import Logs
from tests.supervisor.children import PaperChild


def queue(name, handler="m:f", **policy):
    return QueuePolicy(name, others=JobPolicy(handler, timeout=Timeout(hard=600_000)), **policy)


def with_queues(plan, pools, *policies):
    """A plan with these queues; `pools` says which pool has which."""
    return replace(
        plan,
        queues={one.name: one for one in policies},
        pools={name: PoolPlan(tuple(queues.split())) for name, queues in pools.items()},
        supervisor=SupervisorPlan(stop_timeout=700),
    )


@pytest.fixture
async def make(plan, office, lines, monkeypatch):
    def paper(self, plan, queues, label, parent, *, alone=False, waits=False):
        return office.hire(queues, label, parent, alone=alone)

    monkeypatch.setattr(Fleet, "_start", paper)

    def make(pools, *policies, only=None):
        logs = Logs(lambda line: lines.append(line.line))
        fleet = Fleet(with_queues(plan, pools, *policies), only, "", logs, office)
        for pool in fleet.pools:
            pool.keep()
        for child in office.hired:
            child.ready()
        return fleet

    return make


def go_over(fleet, plan, *roll):
    """Commit to a plan; its canaries are ready."""
    canaries = {}
    for name, queues in fleet._come(plan, roll).items():
        canaries[name] = PaperChild(list(queues.values()), f"{name}.new", fleet)
        canaries[name].state, canaries[name].loaded, canaries[name].serving = "running", True, True
    fleet.commit(plan, canaries)
    return canaries


async def test_a_hot_change_is_told_to_the_workers_and_nobody_is_replaced(make, plan, office):
    fleet = make({"a": "a"}, queue("a"))
    new = with_queues(plan, {"a": "a"}, queue("a", concurrency=9))
    assert go_over(fleet, new) == {}
    (child,) = fleet.children
    assert child.told == [("policy", [new.queues["a"]], 700)]
    assert fleet.pools[0].queues == new.queues


async def test_workers_that_are_about_to_go_keep_the_handlers_they_have(make, plan, office):
    fleet = make({"a": "a"}, queue("a"))
    new = with_queues(plan, {"a": "a"}, queue("a", "other:g", concurrency=9))
    canary = go_over(fleet, new, "a")["a"]
    ((_, (told,), _), drain) = office.hired[0].told
    assert (told.concurrency, told.others.handler) == (9, "m:f")
    assert drain == ("drain", 600_000)
    assert (canary.told, canary.parent) == (["go"], fleet.pools[0])
    assert fleet.pools[0].queues == new.queues


async def test_workers_that_are_to_be_replaced_hear_of_no_later_plan(make, plan, office):
    fleet = make({"a": "a"}, queue("a"))
    office.hired[0].stale = True
    go_over(fleet, with_queues(plan, {"a": "a"}, queue("a", concurrency=9)))
    assert office.hired[0].told == []


async def test_any_change_makes_a_pool_that_gave_up_try_again(make, plan, office):
    fleet = make({"a": "a"}, queue("a"))
    (pool,) = fleet.pools
    pool.state = "fatal"
    office.hired[0].end(9)
    go_over(fleet, with_queues(plan, {"a": "a"}, queue("a", concurrency=9)))
    assert (pool.state, len(pool.children)) == ("starting", 1)


async def test_a_queue_that_comes_gets_a_pool_and_the_pool_of_one_that_goes_may_end_its_jobs(make, plan):
    fleet = make({"a": "a", "b": "b"}, queue("a"), queue("b"))
    _, b = fleet.children
    new = with_queues(plan, {"a": "a", "c": "c"}, queue("a"), queue("c"))
    canaries = go_over(fleet, new)
    assert list(canaries) == ["c"]
    assert [pool.name for pool in fleet.serving] == ["a", "c"]
    assert b.told == [("drain", 600_000)]
    assert fleet.held_queues == {"a", "b", "c"}
    fleet.forget_stopped()
    assert len(fleet.pools) == 3
    b.end()
    fleet.forget_stopped()
    assert [pool.name for pool in fleet.pools] == ["a", "c"]
    assert fleet.held_queues == {"a", "c"}


async def test_a_queue_that_is_about_to_come_is_held(make):
    fleet = make({"a": "a"}, queue("a"))
    fleet.coming.add("b")
    assert fleet.held_queues == {"a", "b"}


async def test_whoever_still_leaves_when_the_next_generation_comes_has_only_the_time_of_a_stop(make, plan):
    fleet = make({"a": "a", "b": "b"}, queue("a"), queue("b"))
    a, b = fleet.children
    for handler in ("m:g", "m:h"):
        go_over(fleet, with_queues(plan, {"a": "a", "b": "b"}, queue("a", handler), queue("b")), "a")
    assert [order for order in a.told if order[0] == "drain"] == [("drain", 600_000), ("drain", 700)]
    assert (a.overtaken, b.overtaken, b.state) == (2, 0, "running")


async def test_a_change_waits_for_the_generation_before_the_last_of_the_same_queues(make, plan, lines):
    fleet = make({"a": "a", "b": "b"}, queue("a"), queue("b"))
    a, _ = fleet.children
    new = with_queues(plan, {"a": "a", "b": "b"}, queue("a", "m:g"), queue("b", "m:g"))
    for _ in range(2):
        go_over(fleet, new, "a")
    await asyncio.wait_for(fleet.make_room(new, {"b"}), 1)
    assert lines[-1:] != ["a change waits until workers of the change before the last have left"]
    waits = asyncio.create_task(fleet.make_room(new, {"a"}))
    await asyncio.sleep(0.1)
    assert not waits.done()
    assert lines.count("a change waits until workers of the change before the last have left") == 1
    a.end()
    await asyncio.wait_for(waits, 1)


async def test_a_queue_that_moves_between_pools_is_bounded_too(make, plan):
    fleet = make({"a": "a"}, queue("a"))
    (first,) = fleet.children
    for name in ("x", "y"):
        go_over(fleet, with_queues(plan, {name: "a"}, queue("a")))
    assert first.overtaken == 2
    assert first.told[-1] == ("drain", 700)


async def test_quiet_holds_for_pools_that_come_until_resume(make, plan):
    fleet = make({"a": "a"}, queue("a"))
    fleet.hush()
    new = with_queues(plan, {"a": "a", "b": "b"}, queue("a", "m:g"), queue("b"))
    canaries = go_over(fleet, new, "a")
    assert [canary.told for canary in canaries.values()] == [["quiet"], ["quiet"]]
    fleet.resume()
    assert all(len(pool.fresh) == 1 for pool in fleet.serving)
    again = with_queues(plan, {"a": "a", "b": "b", "c": "c"}, queue("a", "m:g"), queue("b"), queue("c"))
    assert go_over(fleet, again)["c"].told == ["go"]


def test_workers_that_go_take_over_all_but_handlers_and_how_they_are_run():
    old = QueuePolicy(
        "a", {"x": JobPolicy("m:x"), "gone": JobPolicy("m:gone")}, JobPolicy("m:f"), executor="thread"
    )
    new = QueuePolicy("a", {"x": JobPolicy("n:x", priority=3)}, None, executor="async", concurrency=7)
    kept = keep_handlers({"a": old, "b": queue("b")}, {"a": new})
    assert kept == {
        "a": replace(
            new,
            jobs={"x": JobPolicy("m:x", priority=3), "gone": JobPolicy("m:gone")},
            others=JobPolicy("m:f"),
            executor="thread",
        )
    }


def test_only_named_queues_and_those_with_handlers_are_staffed(plan):
    given = with_queues(
        plan, {"a": "a b", "c": "c", "d": "d"}, queue("a"), queue("b"), queue("c"), queue("d", None)
    )
    assert {name: list(queues) for name, queues in staff(given, None).items()} == {
        "a": ["a", "b"],
        "c": ["c"],
    }
    assert {name: list(queues) for name, queues in staff(given, ["b"]).items()} == {"a": ["b"]}
    assert choose(given, None) == ["a", "b", "c"]
    assert choose(given, ["c", "b", "c"]) == ["c", "b"]
    with pytest.raises(StartError, match="no queue 'z'"):
        choose(given, ["z"])
    with pytest.raises(StartError, match="no queue has a handler"):
        choose(given, ["d"])
