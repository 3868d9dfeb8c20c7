"""The ledger: what ended becomes a page of a turn, and a page whose answer was lost is told again."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.handler import Handler
from pipeline.job import Job, KeptError, Options, Runs, decode_outcome, decode_runs, encode_record
from pipeline.policy import Backoff, JobPolicy, QueuePolicy, Retention, RetryPolicy
from pipeline.retry import Failure
from pipeline.store.store import Move
from pipeline.worker.attempt import Attempt, Buffered, Refused, describe
from pipeline.worker.ledger import Ledger

RETRY = JobPolicy("shop:send", retry=RetryPolicy(3, Backoff("fixed", 2_000)))
HANDLER = Handler("shop:send", lambda job: None, is_async=False)
BEGUN, ENDED = 100.0, 100.25
# The server's clock is this many ms before our monotonic one.
OFFSET = 1_000_000.0


def attempt(
    id: str,
    *,
    lease: int = 7,
    runs: Runs | None = None,
    result: bytes = b"",
    policy: JobPolicy = RETRY,
    **own: Any,
) -> Attempt:
    """A job that ran from BEGUN to ENDED."""
    runs = runs or Runs()
    job: Job[Any] = Job(1_099_000, "send", None, Options(**own), id, "emails", runs.attempts + 1, 3)
    found = Attempt(id.encode(), lease, job, runs, policy, HANDLER, BEGUN)
    found.ended, found.result = ENDED, result
    return found


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger(QueuePolicy("emails", others=RETRY, ids_keep=5_000))
    ledger.offset = OFFSET
    return ledger


def fail(ledger: Ledger, job: Attempt | Refused, error: BaseException | None = None, **how: Any) -> Move:
    return ledger.fail(job, Failure(describe(error or ValueError("no")), **how))


# --- what ended ----------------------------------------------------------------------------------------


def test_a_completed_job_of_ours_needs_no_move(ledger: Ledger) -> None:
    job = attempt("17")
    ledger.complete(job)
    assert len(ledger) == 1
    page = ledger.take()
    assert (page.done, page.moves, len(ledger)) == ([job], [], 0)
    assert ledger.outcomes(page.done) == [b"17", b"[1,1100000,1100250]"]


def test_a_result_stands_in_the_outcome(ledger: Ledger) -> None:
    kept = ledger.outcomes([attempt("17", result=b'{"id":5}', runs=Runs(1))])
    outcome = decode_outcome(kept[1])
    assert (outcome.attempt, outcome.started_at, outcome.finished_at) == (2, 1_100_000, 1_100_250)
    assert outcome.result == {"id": 5}


@pytest.mark.parametrize(
    ("id", "key", "keep"), [("evt_1", "", 5_000), ("17", "k", ""), ("evt_1", "k", 5_000)]
)
def test_a_job_with_an_id_or_a_key_of_its_own_frees_them_with_its_end(
    ledger: Ledger, id: str, key: str, keep: int | str
) -> None:
    ledger.complete(attempt("16"))
    ledger.complete(attempt(id, key=key))
    page = ledger.take()
    assert (len(page.done), page.moves) == (2, [])
    assert ledger.unlocks(page.done) == [id.encode(), key, keep]


def test_a_job_that_says_how_long_its_id_stays_taken_is_heard(ledger: Ledger) -> None:
    ledger.complete(attempt("hook:1", keep=7_000))
    assert ledger.unlocks(ledger.take().done) == [b"hook:1", "", 7_000]
    assert fail(ledger, attempt("hook:2", keep=7_000, attempts=1)).keep == 7_000


@pytest.mark.parametrize(
    ("count", "kept"), [(0, []), (2, ["2", "3"]), (100, ["1", "2", "3"]), (None, ["1", "2", "3"])]
)
def test_only_outcomes_that_will_be_kept_are_sent(ledger: Ledger, count: int | None, kept: list[str]) -> None:
    ledger.policy = QueuePolicy("emails", completed=Retention(count, None))
    outcomes = ledger.outcomes([attempt(id) for id in ("1", "2", "3")])
    assert outcomes[::2] == [id.encode() for id in kept]


def test_a_failed_attempt_comes_back_with_its_error(ledger: Ledger) -> None:
    move = fail(ledger, attempt("17", priority=4))
    assert (move.move, move.level, move.delay, move.key, move.keep) == ("delayed", 4, 2_000, "", "")
    runs = decode_runs(move.runs)
    assert (runs.attempts, runs.errors[0].at, runs.errors[0].type) == (1, 1_100_250, "ValueError")
    page = ledger.take()
    assert page.moves == [move]
    assert page.counters["failed"] == 1


def test_the_last_attempt_ends_dead_with_what_happened(ledger: Ledger) -> None:
    before = Runs(2, 1, (KeptError(1, 1, "E", "1"), KeptError(2, 2, "E", "2")))
    move = fail(ledger, attempt("evt_1", runs=before, key="k"))
    assert (move.move, move.key, move.keep) == ("dead", "k", 5_000)
    outcome, runs = decode_outcome(move.outcome), decode_runs(move.runs)
    assert (outcome.attempt, outcome.started_at, outcome.finished_at) == (3, 1_100_000, 1_100_250)
    assert outcome.error == runs.errors[-1]
    assert (runs.attempts, runs.crashes, len(runs.errors)) == (3, 1, 3)


def test_retry_later_spends_no_attempt_and_counts_no_failure(ledger: Ledger) -> None:
    move = fail(ledger, attempt("17", runs=Runs(2)), later=30_000)
    assert (move.move, move.delay) == ("delayed", 30_000)
    assert decode_runs(move.runs).attempts == 2
    assert "failed" not in ledger.take().counters


def test_a_job_without_a_pause_goes_to_the_back_of_its_level(ledger: Ledger) -> None:
    ledger.policy = QueuePolicy("emails", others=JobPolicy(retry=RetryPolicy(3)))
    assert fail(ledger, attempt("17", priority=-2))[:5] == ("back", b"17", 7, -2, 0)


def test_a_failure_goes_by_the_policy_that_holds_now(ledger: Ledger) -> None:
    ledger.policy = QueuePolicy("emails", {"send": JobPolicy(retry=RetryPolicy(9, Backoff("fixed", 70)))})
    job = attempt("17", runs=Runs(4))
    assert fail(ledger, job)[:5] == ("delayed", b"17", 7, 0, 70)
    assert job.job.attempts == 9
    # A name that the policy does not have any more has only what it began with.
    ledger.policy = QueuePolicy("emails", {"other": JobPolicy()})
    assert fail(ledger, attempt("18"))[:5] == ("delayed", b"18", 7, 0, 2_000)


def test_what_could_not_be_run_is_dead_without_a_begin(ledger: Ledger) -> None:
    job: Job[Any] = Job(1, "send", None, id="17")
    move = fail(ledger, Refused(b"17", 7, job, Runs(), RETRY, Failure(describe(ValueError()))), discard=True)
    assert move.move == "dead"
    assert decode_outcome(move.outcome).started_at is None


def test_jobs_given_back_keep_their_order_at_the_front(ledger: Ledger) -> None:
    jobs = [
        Buffered(str(n).encode(), n, encode_record(1, "send", None, Options(priority=n))) for n in (1, 2, 3)
    ]
    ledger.give_back(jobs)
    ledger.give_back([attempt("4", priority=9)])
    # Each goes before those that went to the front earlier, so the last comes first.
    assert [(m.move, m.id, m.level, m.runs) for m in ledger.take().moves] == [
        ("unused", b"3", 3, b""),
        ("unused", b"2", 2, b""),
        ("unused", b"1", 1, b""),
        ("front", b"4", 9, b""),
    ]


# --- a lost answer -------------------------------------------------------------------------------------


def test_a_page_whose_answer_was_lost_is_told_again_as_far_as_the_leases_hold(ledger: Ledger) -> None:
    for id in ("1", "2", "3"):
        ledger.complete(attempt(id, lease=7))
    fail(ledger, attempt("4", lease=8))
    fail(ledger, attempt("5", lease=8))
    page = ledger.take()
    ledger.complete(attempt("6", lease=9))
    # 1 and 4 are still ours; 2 and 5 were settled; 3 was reclaimed and leased to us anew.
    assert ledger.restore(page, {b"1": 7, b"3": 12, b"4": 8, b"6": 9}).ids == [b"1", b"4"]
    again = ledger.take()
    assert [job.id for job in again.done] == [b"1", b"6"]
    assert [move.id for move in again.moves] == [b"4"]


# --- figures -------------------------------------------------------------------------------------------


def test_run_and_wait_times_are_counted_in_powers_of_two_of_a_tenth_ms(ledger: Ledger) -> None:
    ledger.complete(attempt("1"))
    fail(ledger, attempt("2"))
    counters = ledger.take().counters
    # Each ran for 2,500 tenths of a ms, and waited for 10,000: below 2**12 and 2**14.
    times = {"run:12": 2, "wait:14": 2, "run_us": 500_000, "wait_us": 2_000_000}
    assert counters == {**times, "failed": 1, "=completed:send": 1, "=failed:send": 1}


def test_a_clock_that_is_off_makes_no_wait_below_nothing(ledger: Ledger) -> None:
    ledger.offset = -10_000_000.0
    ledger.complete(attempt("1"))
    assert ledger.take().counters["wait:0"] == 1


def test_the_pace_rises_at_once_and_falls_slowly(ledger: Ledger) -> None:
    ledger.complete(attempt("1"))
    ledger.take()
    assert ledger.pace == pytest.approx(0.25)
    quick = attempt("2")
    quick.ended = BEGUN
    ledger.complete(quick)
    ledger.take()
    assert ledger.pace == pytest.approx(0.25 * 0.95)


# --- jobs that run alone -------------------------------------------------------------------------------


def test_a_job_that_ran_alone_and_failed_is_not_blamed_for_the_crashes_before(ledger: Ledger) -> None:
    move = fail(ledger, attempt("17", runs=Runs(0, crashes=2)))
    assert decode_runs(move.runs).crashes == 0
    assert decode_runs(fail(ledger, attempt("18", runs=Runs(0, crashes=1))).runs).crashes == 1


def test_a_job_that_waits_to_run_alone_goes_back_to_where_it_waited(ledger: Ledger) -> None:
    ledger.give_back([attempt("1"), attempt("2", runs=Runs(0, crashes=2))])
    assert [(move.move, move.id) for move in ledger.take().moves] == [("alone", b"2"), ("front", b"1")]


# --- how far ahead -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pace", "max_active", "jobs"),
    [(0.0, None, 0), (0.00001, None, 256), (0.001, None, 40), (0.01, None, 0), (0.001, 5, 0)],
)
def test_a_few_ms_of_work_are_held_ahead_and_none_under_a_limit(
    ledger: Ledger, pace: float, max_active: int | None, jobs: int
) -> None:
    ledger.pace, ledger.policy = pace, QueuePolicy("emails", max_active=max_active)
    assert ledger.ahead(10) == jobs


# --- counted by name -----------------------------------------------------------------------------------


def names_in(counters: dict[str, int]) -> dict[str, int]:
    return {name.removeprefix("="): by for name, by in counters.items() if name.startswith("=")}


def refused(id: str) -> Refused:
    return Refused(id.encode(), 7, attempt(id).job, Runs(), RETRY, Failure(describe(ValueError("no"))))


def test_attempts_are_counted_by_the_name_of_their_job_and_how_they_ended(ledger: Ledger) -> None:
    ledger.complete(attempt("1"))
    fail(ledger, attempt("2"))
    fail(ledger, attempt("3", runs=Runs(2)))
    fail(ledger, attempt("4"), later=30_000)
    ledger.fail(refused("5"), Failure(describe(ValueError("late")), expired=True))
    ledger.stopped(attempt("6"))
    ledger.crash(attempt("7"), "it was killed")
    ledger.give_back([attempt("8")])
    assert names_in(ledger.take().counters) == {
        "completed:send": 1, "failed:send": 1, "dead:send": 1, "postponed:send": 1, "cancelled:send": 2,
        "crashed:send": 1,
    }  # fmt: skip


def test_a_job_whose_lease_was_lost_is_taken_off_again(ledger: Ledger) -> None:
    ledger.complete(attempt("1"))
    ledger.complete(attempt("2"))
    page = ledger.take()
    assert names_in(page.counters) == {"completed:send": 2}
    ledger.lost(page, [b"2"])
    ledger.complete(attempt("3"))
    assert names_in(ledger.take().counters) == {"completed:send": 0}


def test_what_a_lost_turn_counted_is_counted_again_only_if_it_was_not_carried_out(ledger: Ledger) -> None:
    ledger.complete(attempt("1"))
    page = ledger.take()
    ledger.restore(page, {})
    assert names_in(ledger.take().counters) == {}
    ledger.complete(attempt("2"))
    page = ledger.take()
    ledger.restore(page, {b"2": 7})
    assert names_in(ledger.take().counters) == {"completed:send": 1}
