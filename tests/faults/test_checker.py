"""The checker finds what it should: a job that is lost, doubled, unexpected, stuck, or told wrongly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.audit import Audit
from faults.checker import Counts, Evidence, Loss, Verdict, count, judge
from faults.events import Event
from faults.producer import Sent

STATUS = {
    "waiting": 0,
    "delayed": 0,
    "active": 0,
    "enqueued_total": 3,
    "completed": 3,
    "dead": 0,
    "cancelled": 0,
}


def begins(number: int, pid: int = 10, at: float = 1.0, *, id: str = "", attempt: int = 1) -> Event:
    return Event("begin", "work", number, id or str(number), attempt, pid, at)


def ends(number: int, pid: int = 10, at: float = 2.0, *, id: str = "", attempt: int = 1) -> Event:
    return Event("end", "work", number, id or str(number), attempt, pid, at)


@pytest.fixture
def evidence() -> Evidence:
    """Three jobs, each enqueued, run and completed once."""
    numbers = range(1, 4)
    ids = {n: str(n) for n in numbers}
    audit = Audit("work", numbers={str(n): n for n in numbers}, stats={"completed": 3})
    for n in numbers:
        audit.states[str(n)] = ["completed"]
    events = [event for n in numbers for event in (begins(n), ends(n))]
    sent = Sent(attempted=dict.fromkeys(numbers, 0.0), acknowledged=ids)
    return Evidence(sent, events, [audit], status={"work": dict(STATUS)})


def test_a_trial_in_which_every_job_ended_once_is_fine(evidence):
    assert judge(evidence) == Verdict(Counts(3, 3, 3, 0, 0, 0, 0), 0, [])


def test_the_counts_are_those_of_a_total_queue():
    counts = count([1, 2, 3, 4, 5], [1, 2, 3], [2, 3, 3, 4, 9])
    assert counts == Counts(
        attempted=5, acknowledged=3, ok=3, lost=1, unexpected=1, duplicated=1, recovered=1
    )


def forget(evidence: Evidence) -> None:
    """Job 2 is gone, and never ran."""
    evidence.events = [event for event in evidence.events if event.number != 2]
    del evidence.audits[0].numbers["2"], evidence.audits[0].states["2"]


def complete_twice(evidence: Evidence) -> None:
    evidence.audits[0].states["2"].append("completed")


def end_twice(evidence: Evidence) -> None:
    evidence.audits[0].states["2"].append("dead")


def leave_active(evidence: Evidence) -> None:
    evidence.audits[0].states["2"] = ["active"]


def lose_sight(evidence: Evidence) -> None:
    del evidence.audits[0].states["2"]


def drop_record(evidence: Evidence) -> None:
    del evidence.audits[0].numbers["2"]


def run_unasked(evidence: Evidence) -> None:
    evidence.events += [begins(9), ends(9)]


def store_twice(evidence: Evidence) -> None:
    evidence.audits[0].numbers["n2"] = 2
    evidence.audits[0].states["n2"] = ["completed"]


def run_refused(evidence: Evidence) -> None:
    del evidence.sent.acknowledged[2]
    evidence.sent.refused[2] = "broker_full"


def complete_unrun(evidence: Evidence) -> None:
    del evidence.sent.acknowledged[2]
    evidence.events = [event for event in evidence.events if event.number != 2]


def count_too_much(evidence: Evidence) -> None:
    evidence.audits[0].stats["completed"] = 4


def show_wrongly(evidence: Evidence) -> None:
    evidence.status = {"work": {**STATUS, "active": 1}}


def leave_keys(evidence: Evidence) -> None:
    evidence.audits[0].left.append("{shop:work}:inbox:w")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (forget, "1 lost: acknowledged, and never dequeued: [2]"),
        (forget, "number 2 was acknowledged as 2, which the broker does not keep"),
        (complete_twice, "job 2 of work is in 2 places: completed, completed"),
        (complete_twice, "counts 3 jobs as completed and keeps 4"),
        (end_twice, "job 2 of work is in 2 places: completed, dead"),
        (leave_active, "job 2 of work has not ended: active"),
        (lose_sight, "job 2 of work has not ended: it is nowhere"),
        (drop_record, "job 2 of work is completed and has no record"),
        (run_unasked, "1 unexpected"),
        (store_twice, "number 2 was stored 2 times: 2, n2"),
        (run_refused, "1 ran though their enqueue was refused: [2]"),
        (complete_unrun, "job 2 of work is completed, and no handler came to its end with it"),
        (count_too_much, "work counts 4 jobs as completed and keeps 3"),
        (show_wrongly, "status shows active 1 of work, and it is 0"),
        (leave_keys, "keys that should be gone: {shop:work}:inbox:w"),
    ],
)
def test_whatever_broke_is_said(evidence, harm: Callable[[Evidence], None], said: str):
    harm(evidence)
    assert any(said in violation for violation in judge(evidence).violations), judge(evidence).violations


def test_an_extra_run_without_a_reason_is_said(evidence):
    evidence.events += [begins(2, 11, 3.0), ends(2, 11, 4.0)]
    verdict = judge(evidence)
    assert verdict.extra == 1
    assert verdict.counts.duplicated == 1
    assert [line for line in verdict.violations if "number 2 ran again without a reason" in line]


@pytest.mark.parametrize(
    ("loss", "explains"),
    [
        (Loss(10, 2.1, 2.2), True),  # killed before the end of the first run was settled
        (Loss(10, 1.5, 1.6), True),
        (Loss(10, 3.1, 3.2), False),  # after the job ran again
        (Loss(10, 0.5, 0.6), False),  # before the first run
        (Loss(11, 2.1, 2.2), False),  # another process
        (Loss(10, 2.999, 3.2), True),
    ],
)
def test_an_extra_run_is_explained_by_what_ended_the_run_before_it_only(evidence, loss: Loss, explains: bool):
    evidence.events += [begins(2, 11, 3.0), ends(2, 11, 4.0)]
    evidence.losses = [loss]
    assert (judge(evidence).violations == []) == explains


def test_a_job_that_had_been_settled_for_long_when_its_process_died_may_not_run_again(evidence):
    evidence.losses = [Loss(10, 4.0, 4.1)]
    evidence.events += [begins(2, 11, 5.0), ends(2, 11, 6.0)]
    assert any("without a reason" in line for line in judge(evidence).violations)


def test_two_runs_at_once_are_not_explained_by_what_came_after_both(evidence):
    evidence.events = [event for event in evidence.events if (event.number, event.what) != (2, "end")]
    evidence.events += [begins(2, 11, 3.0), ends(2, 11, 4.0)]
    evidence.losses = [Loss(10, 3.1, 3.2)]
    assert any("without a reason" in line for line in judge(evidence).violations)


def test_a_second_job_of_a_number_is_never_explained(evidence):
    evidence.losses = [Loss(10, 2.0, 2.1)]
    evidence.events += [begins(2, 11, 3.0, id="n2"), ends(2, 11, 4.0, id="n2")]
    assert any("without a reason" in line for line in judge(evidence).violations)


def test_the_retry_of_a_failed_attempt_is_no_extra_run(evidence):
    evidence.events = [event for event in evidence.events if (event.number, event.what) != (2, "end")]
    evidence.events += [begins(2, 10, 3.0, attempt=2), ends(2, 10, 4.0, attempt=2)]
    assert judge(evidence) == Verdict(Counts(3, 3, 3, 0, 0, 0, 0), 0, [])


def test_a_dead_job_is_not_lost(evidence):
    evidence.events = [event for event in evidence.events if (event.number, event.what) != (2, "end")]
    evidence.audits[0].states["2"] = ["dead"]
    evidence.audits[0].stats = {"completed": 2, "dead": 1}
    evidence.status = {"work": {**STATUS, "completed": 2, "dead": 1}}
    assert judge(evidence) == Verdict(Counts(3, 3, 3, 0, 0, 0, 0), 0, [])


def test_of_many_violations_of_a_kind_some_are_told_and_the_rest_counted(evidence):
    for n in range(4, 20):
        evidence.sent.attempted[n], evidence.sent.acknowledged[n] = 0.0, str(n)
    told = [line for line in judge(evidence).violations if "does not keep" in line or "of this kind" in line]
    assert len(told) == 6
    assert told[-1] == "... and 11 more of this kind"
