"""What follows from a failed attempt, and how long the pause before the next is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.job import AttemptError
from pipeline.policy import Backoff, RetryPolicy
from pipeline.retry import Failure, Verdict, decide, pause

TIMEOUT = AttemptError("TimeoutError", "too slow", "", ("TimeoutError", "OSError", "Exception", "object"))
DECLINED = AttemptError("CardDeclined", "no money", "", ("shop:CardDeclined", "ValueError", "Exception"))
FIXED = Backoff("fixed", delay=2_000)

backoffs = st.builds(
    Backoff,
    type=st.sampled_from(["fixed", "linear", "exponential", "list"]),
    delay=st.integers(0, 10**7),
    max=st.none() | st.integers(1, 10**8),
    jitter=st.floats(0, 1),
    delays=st.lists(st.integers(0, 10**7), min_size=1, max_size=6).map(tuple),
)
attempts = st.integers(1, 10_000)


@pytest.mark.parametrize(
    ("policy", "attempt", "verdict"),
    [
        (RetryPolicy(), 1, Verdict("dead")),
        (RetryPolicy(attempts=3), 1, Verdict("back", 0)),
        (RetryPolicy(attempts=3, backoff=FIXED), 1, Verdict("delayed", 2_000)),
        (RetryPolicy(attempts=3, backoff=FIXED), 2, Verdict("delayed", 2_000)),
        (RetryPolicy(attempts=3, backoff=FIXED), 3, Verdict("dead")),
        (RetryPolicy(attempts=3, backoff=FIXED), 9, Verdict("dead")),
        (RetryPolicy(attempts=3, backoff=Backoff("fixed", delay=0)), 1, Verdict("back", 0)),
    ],
)
def test_attempts_count_the_first_run_and_end_dead(
    policy: RetryPolicy, attempt: int, verdict: Verdict
) -> None:
    assert decide(policy, attempt, Failure(TIMEOUT)) == verdict


@pytest.mark.parametrize(
    ("retry_on", "discard_on", "error", "retried"),
    [
        (None, (), TIMEOUT, True),
        (("TimeoutError",), (), TIMEOUT, True),
        (("OSError",), (), TIMEOUT, True),
        (("TimeoutError",), (), DECLINED, False),
        ((), (), TIMEOUT, False),
        (None, ("shop:CardDeclined",), DECLINED, False),
        (None, ("ValueError",), DECLINED, False),
        (None, ("CardDeclined",), DECLINED, True),
        (("Exception",), ("TimeoutError",), TIMEOUT, False),
        (("TimeoutError",), ("Exception",), TIMEOUT, False),
    ],
)
def test_classes_decide_with_their_subclasses_and_discard_is_looked_at_first(
    retry_on: tuple[str, ...] | None, discard_on: tuple[str, ...], error: AttemptError, retried: bool
) -> None:
    policy = RetryPolicy(5, FIXED, retry_on, discard_on)
    assert decide(policy, 1, Failure(error)) == (Verdict("delayed", 2_000) if retried else Verdict("dead"))


def test_a_handler_that_discards_makes_its_job_dead_at_the_first_attempt() -> None:
    assert decide(RetryPolicy(9, FIXED), 1, Failure(TIMEOUT, discard=True)) == Verdict("dead")


@pytest.mark.parametrize("attempt", [1, 3, 99])
def test_retry_later_spends_no_attempt_whatever_the_policy_says(attempt: int) -> None:
    never = RetryPolicy(1, retry_on=(), discard_on=("Exception",))
    assert decide(never, attempt, Failure(TIMEOUT, later=30_000)) == Verdict("delayed", 30_000, spent=False)
    assert decide(never, attempt, Failure(TIMEOUT, later=0)) == Verdict("back", 0, spent=False)


@pytest.mark.parametrize(
    ("backoff", "pauses"),
    [
        (None, [0, 0, 0, 0]),
        (FIXED, [2_000, 2_000, 2_000, 2_000]),
        (Backoff("linear", delay=100), [100, 200, 300, 400]),
        (Backoff("exponential", delay=100), [100, 200, 400, 800]),
        (Backoff("exponential", delay=100, max=300), [100, 200, 300, 300]),
        (Backoff("linear", delay=100, max=250), [100, 200, 250, 250]),
        (Backoff("list", delays=(10, 50)), [10, 50, 50, 50]),
    ],
)
def test_each_curve(backoff: Backoff | None, pauses: list[int]) -> None:
    assert [pause(backoff, attempt) for attempt in (1, 2, 3, 4)] == pauses


@given(backoffs, attempts, st.integers())
def test_a_pause_is_within_its_bounds(backoff: Backoff, attempt: int, seed: int) -> None:
    plain = Backoff(backoff.type, backoff.delay, backoff.max, 0.0, backoff.delays)
    most = pause(plain, attempt)
    ms = pause(backoff, attempt, random.Random(seed))
    assert isinstance(ms, int)
    # Jitter takes at most its share off, and rounds to a whole ms.
    assert most * (1 - backoff.jitter) - 1 <= ms <= most
    assert backoff.max is None or ms <= backoff.max


@given(backoffs, attempts)
def test_a_pause_never_falls_from_one_attempt_to_the_next(backoff: Backoff, attempt: int) -> None:
    rising = Backoff(backoff.type, backoff.delay, backoff.max, 0.0, tuple(sorted(backoff.delays)))
    assert pause(rising, attempt) <= pause(rising, attempt + 1)


def test_jitter_spreads_over_its_whole_share() -> None:
    backoff = Backoff("fixed", delay=1_000, jitter=0.2)
    chance = random.Random(1)
    pauses = [pause(backoff, 1, chance) for _ in range(2_000)]
    assert min(pauses) < 810
    assert max(pauses) > 990
    assert abs(sum(pauses) / 2_000 - 900) < 5
