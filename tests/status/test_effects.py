"""What a change does to the jobs that are there: each sentence, and when there is nothing to say."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.diff import diff
from pipeline.plan import BrokerPlan, Plan, PoolPlan, SupervisorPlan
from pipeline.policy import JobPolicy, QueuePolicy, Retention, Timeout
from pipeline.status.effects import LOOKED_AT, RESTART, Facts, about, effect, slots, touched

SECOND = 14
"""The bucket of the histogram that holds 819 ms to 1,638 ms, with a mean of 1,229 ms."""


def queue(name: str = "emails", **policy: Any) -> QueuePolicy:
    return replace(QueuePolicy(name, others=JobPolicy("h:send")), **policy)


def plan(*queues: QueuePolicy, pools: dict[str, PoolPlan] | None = None, **more: Any) -> Plan:
    made = Plan(
        "shop", "/r", "/r/f", "h", BrokerPlan("redis://a"), SupervisorPlan(), None,
        {one.name: one for one in queues}, pools or {one.name: PoolPlan((one.name,)) for one in queues},
    )  # fmt: skip
    return replace(made, **more)


def told(old: Plan, new: Plan, held: Facts, name: str = "emails") -> dict[str, str | None]:
    """The effect of each change."""
    return {change.path: effect(change, old, new, {name: held}) for change in diff(old, new)}


def limits(hard: int | None, soft: int | None = None, **jobs: int) -> QueuePolicy:
    by_name = {job: JobPolicy("h:send", Timeout(None, ms)) for job, ms in jobs.items()}
    return queue(others=None if jobs else JobPolicy("h:send", Timeout(soft, hard)), jobs=by_name)


# --- what stays behind ---------------------------------------------------------------------------------------


def test_a_removed_queue_keeps_its_jobs_and_says_how_many():
    effects = told(plan(queue("a"), queue()), plan(queue("a")), Facts(waiting=312, delayed=4, dead=1_500))
    assert effects == {
        "queues.emails": "312 jobs wait here, 4 delayed, 1,500 dead, and stay in the broker; "
        "status lists them, purge or putting it back decides"
    }


def test_an_empty_queue_is_removed_without_a_word():
    assert told(plan(queue("a"), queue()), plan(queue("a")), Facts()) == {"queues.emails": None}


def test_a_queue_that_comes_back_finds_its_jobs():
    effects = told(plan(queue("a")), plan(queue("a"), queue()), Facts(waiting=1))
    assert effects == {"queues.emails": "1 job waits here from before"}


def test_jobs_of_a_removed_name_would_die():
    old, new = plan(limits(None, a=5, b=5)), plan(limits(None, a=5))
    effects = told(old, new, Facts(waiting=3, names=["b", "a", "b"]))
    assert effects["queues.emails.jobs.b"] == "2 that wait or are delayed would die of UnknownJob"


def test_more_than_are_looked_at_are_told_as_at_least():
    old, new = plan(limits(None, a=5, b=5)), plan(limits(None, a=5))
    effects = told(old, new, Facts(names=["b"] * LOOKED_AT))
    assert (
        effects["queues.emails.jobs.b"] == "at least 1,000 that wait or are delayed would die of UnknownJob"
    )


def test_jobs_of_a_removed_name_are_run_by_the_handler_of_the_queue_if_it_has_one():
    both = queue(jobs={"a": JobPolicy("h:a")})
    assert told(plan(both), plan(queue()), Facts(names=["a"]))["queues.emails.jobs.a"] is None


def test_without_the_handler_for_all_names_those_that_are_not_listed_would_die():
    listed = queue(others=None, jobs={"a": JobPolicy("h:send")})
    effects = told(plan(queue(jobs=listed.jobs)), plan(listed), Facts(names=["a", "x", "y"]))
    assert effects["queues.emails.handler"] == "2 that wait or are delayed would die of UnknownJob"


def test_a_lower_count_of_kept_jobs_deletes_the_rest():
    many, few = Retention(1_000, None), Retention(100, None)
    old, new = plan(queue(completed=many, dead=many)), plan(queue(completed=few, dead=few))
    assert told(old, new, Facts(completed=1_000, dead=400)) == {
        "queues.emails.retention.completed.count": "900 of 1,000 completed would be deleted",
        "queues.emails.retention.dead.count": "300 of 400 dead would be deleted",
    }
    assert set(told(old, new, Facts(completed=100, dead=100)).values()) == {None}


def test_a_paused_queue_lets_its_jobs_wait():
    assert told(plan(queue()), plan(queue(paused=True)), Facts(waiting=7)) == {
        "queues.emails.paused": "7 jobs wait"
    }


# --- how long the backlog lasts ------------------------------------------------------------------------------


def test_more_slots_drain_a_backlog_sooner_and_both_times_are_told():
    held = Facts(waiting=10_000, run={SECOND: 5})
    effects = told(plan(queue(concurrency=10)), plan(queue(concurrency=20)), held)
    assert effects == {
        "queues.emails.concurrency": "10,000 jobs wait: drained in about 20m before, about 10m after"
    }


def test_a_backlog_whose_pace_is_not_known_is_counted():
    effects = told(plan(queue(concurrency=10)), plan(queue(concurrency=20)), Facts(waiting=5))
    assert effects == {"queues.emails.concurrency": "5 jobs wait"}


def test_a_queue_that_is_paused_by_hand_does_not_drain():
    held = Facts(waiting=5, run={SECOND: 5}, paused=True)
    effects = told(plan(queue(concurrency=10)), plan(queue(concurrency=20)), held)
    assert effects == {"queues.emails.concurrency": "5 jobs wait, and the queue is paused"}


def test_without_a_backlog_nothing_is_said_of_slots():
    assert told(plan(queue(concurrency=1)), plan(queue(concurrency=2)), Facts(run={SECOND: 5})) == {
        "queues.emails.concurrency": None
    }


def test_max_active_bounds_the_slots_of_all_hosts():
    pools = {"emails": PoolPlan(("emails",), 3)}
    assert slots(plan(queue(concurrency=5), pools=pools), "emails", 2) == 30
    assert slots(plan(queue(concurrency=5, max_active=12), pools=pools), "emails", 2) == 12


def test_a_change_that_leaves_the_slots_as_they_are_says_nothing_of_the_backlog():
    old, new = (plan(queue(concurrency=n, max_active=4)) for n in (10, 20))
    assert told(old, new, Facts(waiting=9, run={SECOND: 5})) == {"queues.emails.concurrency": None}


def test_a_shared_pool_tells_of_each_of_its_queues():
    old, new = (
        plan(queue("a"), queue("emails"), pools={"small": PoolPlan(("a", "emails"), n)}) for n in (1, 2)
    )
    (change,) = diff(old, new)
    assert touched(change, old, new) == ("a", "emails")
    facts = {"a": Facts(waiting=2), "emails": Facts(waiting=3)}
    assert effect(change, old, new, facts) == "a: 2 jobs wait; emails: 3 jobs wait"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (999, "under 1s"),
        (1_400, "about 1s"),
        (90_400, "about 1m30s"),
        (150_000, "about 2m"),
        (8e6, "about 2h"),
    ],
)
def test_an_estimate_has_about_two_digits(ms, text):
    assert about(ms) == text


# --- attempts that a new limit would end ---------------------------------------------------------------------


def test_a_lower_timeout_tells_how_many_of_the_kept_runs_took_longer():
    runs = [("x", 100)] * 190 + [("x", 5_000)] * 10
    effects = told(plan(limits(30_000)), plan(limits(4_000)), Facts(run={SECOND: 9_999}, runs=runs))
    assert effects == {"queues.emails.timeout": "it would have ended 10 of the last 200 runs"}


def test_a_run_of_exactly_the_limit_is_not_cut():
    effects = told(plan(limits(30_000)), plan(limits(4_000)), Facts(runs=[("x", 4_000)] * 100))
    assert effects == {"queues.emails.timeout": "it would have ended none of the last 100 runs"}


def test_with_few_runs_kept_the_histogram_tells_the_share():
    held = Facts(run={SECOND: 300, SECOND + 3: 100}, runs=[("x", 10)] * 99)
    effects = told(plan(limits(30_000)), plan(limits(2_000)), held)
    assert effects == {"queues.emails.timeout": "it would have ended about 25.0% of 400 runs"}


def test_a_share_of_next_to_nothing_is_hardly_any():
    effects = told(plan(limits(30_000)), plan(limits(20_000)), Facts(run={SECOND: 400}))
    assert effects == {"queues.emails.timeout": "it would have ended hardly any of 400 runs"}


def test_a_limit_where_there_was_none_counts_as_lower():
    effects = told(plan(limits(None)), plan(limits(4_000)), Facts(runs=[("x", 5_000)]))
    assert effects == {"queues.emails.timeout": "it would have ended 1 of the last 1 runs"}


@pytest.mark.parametrize("hard", [60_000, None])
def test_a_higher_timeout_ends_nothing(hard):
    effects = told(plan(limits(30_000)), plan(limits(hard)), Facts(run={SECOND: 5}, runs=[("x", 50_000)]))
    assert effects == {"queues.emails.timeout": None}


def test_a_soft_limit_interrupts():
    effects = told(plan(limits(9_000)), plan(limits(9_000, 4_000)), Facts(runs=[("x", 5_000)] * 100))
    assert effects["queues.emails.timeout.soft"] == "it would have interrupted 100 of the last 100 runs"
    assert effects.get("queues.emails.timeout.hard") is None


def test_a_timeout_of_one_job_name_looks_at_its_runs_only():
    old, new = plan(limits(None, a=9_000, b=9_000)), plan(limits(None, a=1_000, b=8_500))
    held = Facts(run={SECOND: 999}, runs=[("a", 2_000), ("a", 500), ("b", 8_600), ("b", 10), ("b", 10)])
    assert told(old, new, held) == {
        "queues.emails.jobs.a.timeout": "it would have ended 1 of the last 2 runs",
        "queues.emails.jobs.b.timeout": "it would have ended 1 of the last 3 runs",
    }


# --- what needs a restart ------------------------------------------------------------------------------------


def test_what_needs_a_restart_says_so():
    old = plan(queue())
    effects = told(old, replace(old, name="store", broker=BrokerPlan("redis://b")), Facts())
    assert effects["name"] == (
        f"another project: what shop holds stays in the broker, and nobody runs it; {RESTART}"
    )
    assert effects["broker.url"] == f"what the old broker holds stays there; {RESTART}"
