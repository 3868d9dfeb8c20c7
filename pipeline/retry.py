"""What follows from a failed attempt. Pure: the policy, the attempt and chance come in, a verdict comes out."""

from __future__ import annotations

import random
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from pipeline.job import AttemptError, Runs
from pipeline.policy import Backoff, RetryPolicy


class Failure(Struct, frozen=True):
    """How an attempt ended badly. `discard`: the handler said so; `later`: come back in so many ms, at no cost;
    `hold`: and let nothing start before; `expired`: it did not begin in time.
    """

    error: AttemptError
    discard: bool = False
    later: int | None = None
    hold: bool = False
    expired: bool = False


class Verdict(Struct, frozen=True):
    """The move that follows; `spent` tells whether the attempt counts, `delay` is in ms."""

    move: Literal["delayed", "back", "hold", "dead", "cancelled"]
    delay: int = 0
    spent: bool = True


def decide(
    policy: RetryPolicy, attempt: int, failure: Failure, chance: random.Random | None = None
) -> Verdict:
    """The verdict on the failed `attempt` (counted from 1). `discard_on` is looked at first."""
    if failure.expired:
        return Verdict("cancelled", spent=False)
    if failure.hold and failure.later:
        return Verdict("hold", failure.later, spent=False)
    if failure.later is not None:
        return Verdict("delayed" if failure.later else "back", failure.later, spent=False)
    if failure.discard or attempt >= policy.attempts or not is_retried(policy, failure.error.mro):
        return Verdict("dead")
    delay = pause(policy.backoff, attempt, chance)
    return Verdict("delayed" if delay else "back", delay)


def way_back(runs: Runs, max_crashes: int) -> Literal["front", "alone"]:
    """Where a job goes back to unused. One whose next crash would be its last runs alone, so that nothing dies
    by a crash that it did not cause."""
    return "alone" if 0 < max_crashes - 1 <= runs.crashes else "front"


def is_retried(policy: RetryPolicy, mro: tuple[str, ...]) -> bool:
    """Whether an error of these classes is worth another attempt."""
    classes = set(mro)
    if classes.intersection(policy.discard_on):
        return False
    return policy.retry_on is None or bool(classes.intersection(policy.retry_on))


def pause(backoff: Backoff | None, attempt: int, chance: random.Random | None = None) -> int:
    """The ms between `attempt` and the next. Jitter takes up to that share off, so `max` stays the most."""
    if backoff is None:
        return 0
    delay = _curve(backoff, attempt)
    if backoff.max is not None:
        delay = min(delay, backoff.max)
    if backoff.jitter:
        delay = round(delay * (1 - backoff.jitter * (chance or random).random()))
    return delay


def pauses(policy: RetryPolicy) -> tuple[int, ...]:
    """The ms of every pause of a policy, without jitter: none is longer."""
    exact = replace(policy.backoff, jitter=0.0) if policy.backoff is not None else None
    return tuple(pause(exact, attempt) for attempt in range(1, policy.attempts))


def _curve(backoff: Backoff, attempt: int) -> int:
    match backoff.type:
        case "fixed":
            return backoff.delay
        case "linear":
            return backoff.delay * attempt
        case "exponential":
            # 2**60 ms is beyond every date; it keeps the number finite at any attempt.
            return backoff.delay << min(attempt - 1, 60)
        case "list":
            return backoff.delays[min(attempt, len(backoff.delays)) - 1]
