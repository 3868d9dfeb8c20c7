"""As many workers as wanted, of the plan that holds, whatever becomes of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pipeline.clock import monotonic_ms
from pipeline.plan import PoolPlan, RecyclePlan, RestartPlan, SupervisorPlan
from pipeline.policy import JobPolicy, QueuePolicy, Timeout
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pool import START_MS, Pool
from pipeline.supervisor.recycle import worn
from tests.supervisor.children import PaperChild

RULES = SupervisorPlan(stop_timeout=700, restart=RestartPlan(delay=60_000, give_up_after=2))


def queue(name: str = "a", hard: int | None = 5_000) -> QueuePolicy:
    return QueuePolicy(name, others=JobPolicy(handler="m:f", timeout=Timeout(hard=hard)))


@pytest.fixture
async def make(office, lines):
    pools = []

    def make(processes=1, *queues, **plan):
        policies = {one.name: one for one in queues or (queue(),)}
        pool_plan = PoolPlan(tuple(policies), processes, **plan)
        logs = Logs(lambda line: lines.append(line.line))
        pools.append(Pool("a", policies, pool_plan, RULES, office.hire, logs, office))
        return pools[-1]

    yield make
    for pool in pools:
        pool._restarts.cancel()


def running(pool, office):
    """The pool, with every worker that it wants ready."""
    pool.keep()
    for child in office.hired:
        child.ready()
    return pool


def labels(pool):
    return [child.label for child in pool.children]


# --- as many as wanted ----------------------------------------------------------------------------------------


async def test_as_many_workers_start_as_the_plan_wants(make, office):
    pool = make(3)
    pool.keep()
    pool.keep()
    assert labels(pool) == ["a.1", "a.2", "a.3"]
    assert pool.state == "starting"
    office.hired[0].ready()
    assert pool.state == "running"


async def test_an_override_beats_the_plan_both_ways(make, office):
    pool = running(make(2), office)
    pool.override = 3
    pool.keep()
    office.hired[2].ready()
    assert (pool.wanted, len(pool.fresh)) == (3, 3)
    pool.override = 1
    pool.keep()
    assert [child.state for child in pool.children] == ["running", "stopping", "stopping"]
    pool.override = None
    pool.keep()
    assert len(pool.fresh) == 2


async def test_what_is_too_much_is_the_newest_and_one_that_starts_is_killed_and_not_drained(make, office):
    pool = make(2)
    pool.keep()
    first, second = office.hired
    first.ready()
    pool.change(pool.queues, replace(pool.plan, processes=1), RULES)
    pool.keep()
    assert (first.told, second.told) == ([], ["kill"])


async def test_a_worker_that_ends_by_itself_has_a_successor_and_a_free_label_is_used_again(make, office):
    pool = running(make(2), office)
    office.hired[0].state = "retiring"
    pool.on_retiring(office.hired[0], "it is stuck")
    assert labels(pool) == ["a.1", "a.2", "a.3"]
    office.hired[0].end()
    pool.change(pool.queues, replace(pool.plan, processes=3), RULES)
    pool.keep()
    assert labels(pool) == ["a.2", "a.3", "a.1"]


async def test_one_worker_alone_beside_the_others_for_each_queue(make, office):
    pool = running(make(1, queue("a"), queue("b")), office)
    pool.keep_alone("b")
    pool.keep_alone("b")
    pool.keep_alone("a")
    assert labels(pool) == ["a.1", "b.alone", "a.alone"]
    assert list(office.hired[1].boards) == ["b"]
    pool.keep()
    assert len(pool.children) == 3
    assert [child.label for child in pool.fresh] == ["a.1"]


# --- one generation after the other ----------------------------------------------------------------------------


async def test_workers_are_replaced_one_at_a_time_each_when_its_successor_is_ready(make, office):
    pool = running(make(2), office)
    old = list(pool.children)
    first = office.hire([queue()], "a.3", pool)
    first.state, first.serving = "running", True
    pool.roll(first)
    assert first.told == ["go"]
    assert [child.state for child in old] == ["stopping", "running"]
    second = office.hired[-1]
    assert second is not first
    assert len(pool.children) == 4
    second.ready()
    assert [child.state for child in old] == ["stopping", "stopping"]
    assert pool.settled_down


async def test_of_many_workers_one_starts_at_a_time(make, office):
    pool = running(make(4), office)
    first = office.hire([queue()], "a.5", pool)
    first.state, first.serving = "running", True
    pool.roll(first)
    assert len(pool.children) == 4 + 1 + 1


async def test_a_replaced_worker_may_end_its_jobs_however_long_their_limits_are(make, office):
    for hard, patience in ((5_000, 5_000), (10, 700), (None, None)):
        office.hired.clear()
        pool = running(make(1, queue("a", 100), queue("b", hard)), office)
        pool.roll()
        office.hired[-1].ready()
        assert office.hired[0].told == [("drain", patience)]


async def test_a_first_one_that_died_meanwhile_is_replaced_and_is_no_failed_boot(make, office):
    pool = make(1)
    first = office.hire([queue()], "a.1", pool)
    first.state = "gone"
    pool.roll(first)
    assert pool.children == [office.hired[1]]
    office.hired[1].end(78, "ImportError")
    assert office.boot_failures == []
    assert pool.state == "backoff"


async def test_a_quiet_pool_stays_quiet_through_a_roll(make, office):
    pool = running(make(1), office)
    pool.hush()
    assert (pool.fresh, office.hired[0].told) == ([], ["quiet"])
    first = office.hire([queue()], "a.2", pool)
    first.state, first.serving = "running", True
    pool.roll(first)
    assert first.told == ["quiet"]
    assert pool.settled_down
    pool.resume()
    assert [child.told[-1] for child in pool.children[:2]] == [("drain", 700)] * 2
    assert len(pool.fresh) == 1
    before = len(office.hired)
    pool.resume()
    assert len(office.hired) == before


async def test_an_old_worker_that_cannot_start_says_nothing_about_the_new_plan(make, office):
    pool = make(2)
    pool.keep()
    old = list(office.hired)
    first = office.hire([queue()], "a.3", pool)
    first.loaded, first.serving, first.state = True, True, "running"
    pool.roll(first)
    assert pool.state == "running"
    for child in old:
        child.end(78, "ImportError")
    assert (pool.state, office.boot_failures) == ("running", [])
    assert len(pool.fresh) == 2


async def test_a_change_makes_a_pool_that_gave_up_try_again(make, office):
    pool = running(make(1), office)
    office.hired[-1].end(9)
    office.hired[-1].end(78, "ImportError")
    pool._restarts.cancel()
    pool._try()
    office.hired[-1].end(78, "ImportError")
    assert pool.state == "fatal"
    assert pool.settled_down
    pool.forgive()
    assert (pool.state, pool.reason) == ("starting", None)
    pool.children[0].ready()
    assert pool.state == "running"


async def test_policies_of_queues_that_left_are_known_as_long_as_a_worker_serves_them(make, office):
    pool = running(make(2, queue("a"), queue("b")), office)
    pool.change({"a": queue("a")}, PoolPlan(("a",)), RULES)
    pool.roll()
    for old in office.hired[:2]:
        assert list(pool.policies) == ["a", "b"]
        old.drain(1)
        old.end()
    assert list(pool.policies) == ["a"]
    assert [record.queue for record in pool.records()] == ["a"]


# --- those that have done enough -------------------------------------------------------------------------------


async def test_one_that_did_enough_is_replaced_and_that_is_counted(make, office, lines):
    pool = running(make(1, recycle=RecyclePlan(max_jobs=10)), office)
    office.hired[0].ended_jobs = 10
    pool.recycle()
    pool.recycle()
    assert pool.recycled == {"max_jobs": 1}
    assert "a.1 is replaced: max_jobs reached" in lines
    assert office.hired[0].told == []
    office.hired[1].ready()
    assert office.hired[0].told == [("drain", 5_000)]


async def test_one_that_has_only_begun_is_not_replaced(make, office):
    pool = make(1, recycle=RecyclePlan(max_memory=1))
    pool.keep()
    office.hired[0].bytes = 5
    pool.recycle()
    assert pool.recycled == {}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (RecyclePlan(max_jobs=5), "max_jobs"),
        (RecyclePlan(max_jobs=6), None),
        (RecyclePlan(max_memory=100), "max_memory"),
        (RecyclePlan(max_memory=101), None),
        (RecyclePlan(max_age=10_000), "max_age"),
        (RecyclePlan(max_age=10_500), "max_age"),
        (RecyclePlan(max_age=12_000), None),
        (RecyclePlan(), None),
    ],
)
async def test_which_limit_a_worker_has_reached(limits, reason):
    child = PaperChild([queue()], "a.1", Pool)  # type: ignore[arg-type]
    child.ended_jobs, child.bytes, child.started, child.chance = 5, 100, monotonic_ms() - 10_000, 0.99
    assert worn(child, limits) == reason


# --- those that fail -------------------------------------------------------------------------------------------


async def test_a_first_worker_whose_imports_fail_is_a_failed_boot(make, office):
    make(1).keep()
    office.hired[0].end(78, "ImportError: m")
    assert office.boot_failures == ["ImportError: m"]


async def test_a_later_one_makes_the_pool_wait_and_say_why(make, office, lines):
    pool = running(make(2), office)
    office.hired[0].end(9)
    assert pool.state == "running"
    office.hired[2].end(78, "ImportError: m")
    assert (pool.state, pool.reason) == ("backoff", "cannot start: ImportError: m")
    assert len(office.hired) == 3
    assert any("tries again in" in line for line in lines)


async def test_a_first_one_that_was_killed_is_tried_again(make, office):
    pool = make(1)
    pool.keep()
    office.hired[0].end(-9)
    assert (office.boot_failures, pool.state) == ([], "backoff")
    assert list(pool.policies) == ["a"]
    pool._restarts.cancel()
    pool._try()
    office.hired[1].ready()
    assert (pool.state, pool.reason) == ("running", None)


async def test_after_a_failure_one_is_tried_and_the_others_follow_when_it_is_ready(make, office):
    pool = make(3)
    pool._restarts.failed()
    pool.keep()
    pool.keep()
    assert len(pool.children) == 1
    office.hired[0].ready()
    assert len(pool.children) == 3


async def test_a_planned_end_is_neither_counted_nor_told_as_a_death(make, office, lines):
    running(make(1), office)
    office.hired[0].drain(10)
    office.hired[0].end()
    office.hired[1].kill()
    office.hired[1].end(-9)
    assert office.gone == [("a.1", True), ("a.1", True)]
    assert not any("died" in line for line in lines)
    office.hired[2].ready().end(-9)
    assert office.gone[-1] == ("a.1", False)
    assert any("died: SIGKILL" in line for line in lines)


async def test_an_exit_with_0_that_was_not_announced_is_a_death(make, office):
    running(make(1), office)
    office.hired[0].end(0)
    assert office.gone == [("a.1", False)]


async def test_jobs_of_workers_that_are_gone_are_counted_on(make, office):
    pool = running(make(1), office)
    office.hired[0].ended_jobs = 4
    office.hired[0].end(9)
    office.hired[1].ended_jobs = 2
    pool.note_settled(1)
    assert pool.settled() == 7


async def test_imports_that_take_too_long_are_ended_and_blamed(make, office):
    pool = make(2)
    pool.keep()
    limit = RULES.import_timeout + START_MS
    office.hired[0].started = monotonic_ms() - limit + 1_000
    office.hired[1].started = monotonic_ms() - limit - 1_000
    pool.end_hung_starts()
    assert [child.told for child in office.hired] == [[], ["kill"]]
    assert not office.hired[1].blameless


# --- the end ---------------------------------------------------------------------------------------------------


async def test_a_stop_drains_within_its_time_and_a_pool_that_the_plan_lost_may_end_its_jobs(make, office):
    for end, timeout in (("stop", 700), ("retire", 5_000)):
        office.hired.clear()
        pool = make(2)
        pool.keep()
        ready, starting = office.hired
        ready.ready()
        getattr(pool, end)()
        assert (ready.told, starting.told) == ([("drain", timeout)], ["kill"])
        assert (pool.ending, pool.state, pool.settled_down) == (True, "stopping", True)
        ready.end()
        starting.end(78, "ImportError")
        pool.resume()
        assert pool.state == "stopping"
        assert pool.children == []


async def test_a_pool_that_waits_for_its_next_try_waits_no_more_when_it_stops(make, office):
    pool = make(1)
    pool.keep()
    office.hired[0].end(-9)
    pool.stop()
    assert not pool._restarts.waits


async def test_a_process_that_the_system_does_not_give_is_a_failure_to_start_and_tried_again(
    make, office, lines
):
    pool = make(2)
    pool._hire = refused
    pool.keep()
    assert (pool.state, pool.children) == ("backoff", [])
    assert any("no process can be started: out of processes" in line for line in lines)
    pool._hire = office.hire
    pool._restarts.cancel()
    pool.keep()
    assert len(pool.children) == 1


def refused(*arguments, **options):
    raise OSError(11, "out of processes")


async def test_a_pool_runs_once_a_worker_takes_jobs_and_not_when_it_has_only_loaded(make, office):
    pool = make(1)
    pool.keep()
    (child,) = office.hired
    child.loaded, child.state = True, "running"
    pool.on_loaded()
    assert pool.state == "starting"
    assert not pool.settled_down
    child.ready()
    assert pool.state == "running"


async def test_a_pool_says_how_many_workers_do_not_hear_of_the_broker(make, office):
    pool = running(make(2), office)
    assert [record.reason for record in pool.records()] == [None]
    office.hired[0].deaf = 11_000
    (record,) = pool.records()
    assert (record.state, record.reason) == ("running", "1 of 2 workers have not heard of the broker for 10s")
