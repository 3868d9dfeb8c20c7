"""Policy tests: the code that decides about a job at run time, on a virtual clock and without a broker."""

from __future__ import annotations

import builtins
import random
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pipeline import units
from pipeline.config.cases import CaseBlock
from pipeline.config.load import Loaded
from pipeline.config.model import Config
from pipeline.config.resolve import retry_of
from pipeline.config.tree import TOP
from pipeline.job import AttemptError
from pipeline.plan import Plan
from pipeline.policy import JobPolicy
from pipeline.retry import Failure, decide

Chains = Mapping[str, tuple[str, ...]]
"""An exception class as the file names it -> the names of all its classes, as a worker reports them."""

_DISCARD = "pipeline.errors:Discard"


class Outcome(Struct, frozen=True):
    """How a job went: times in ms, `delays` without jitter. `total` ends where the job was last looked at."""

    state: str
    attempt: int
    delays: tuple[int, ...]
    total: int


class Result(Struct, frozen=True):
    """A test that was run: what was expected, what came out (times in ms), and where it stands in the file."""

    name: str
    passed: bool
    expected: dict[str, Any]
    got: dict[str, Any]
    file: str
    line: int


class _Longest(random.Random):
    """Chance that takes nothing off a pause."""

    def random(self) -> float:
        return 0.0


def run(loaded: Loaded, chains: Chains) -> Iterator[Result]:
    """The result of every test of a file without errors. Raises nothing: a bad test is a finding of the file."""
    if loaded.plan is None or loaded.config is None:
        return
    for number, case in enumerate(loaded.config.tests):
        policy = _policy(case, loaded.config, loaded.plan)
        outcome = play(policy, case, chains)
        expected = {name: value for name, value in case.expect if value is not None}
        got = {name: getattr(outcome, name) for name in expected}
        place = loaded.origins.get(f"tests.{number}.name", TOP)
        yield Result(case.name, expected == got, expected, got, place.file or loaded.file, place.line)


def play(policy: JobPolicy, case: CaseBlock, chains: Chains) -> Outcome:
    """What becomes of the job. A state in which it waits for an attempt is looked for after that attempt."""
    delays: tuple[int, ...] = ()
    total, attempt = 0, 1
    until = (case.expect.attempt or 1) if case.expect.state in ("delayed", "waiting") else None
    while True:
        total += _duration(policy, case)
        failure = _failure(policy, case, attempt, chains)
        if failure is None:
            return Outcome("completed", attempt, delays, total)
        verdict = decide(policy.retry, attempt, failure, _Longest())
        if verdict.move == "dead":
            return Outcome("dead", attempt, delays, total)
        delays = (*delays, verdict.delay)
        if attempt == until:
            return Outcome("delayed" if verdict.delay else "waiting", attempt, delays, total)
        total, attempt = total + verdict.delay, attempt + 1


def _policy(case: CaseBlock, config: Config, plan: Plan) -> JobPolicy:
    if case.queue is None:
        return JobPolicy(retry=retry_of(config.retries[case.retry or ""]))
    queue = plan.queues[case.queue]
    return (queue.others if case.job is None else queue.job(case.job)) or JobPolicy()


def _duration(policy: JobPolicy, case: CaseBlock) -> int:
    took, hard = case.after or 0, policy.timeout.hard
    return took if hard is None else min(took, hard)


def _failure(policy: JobPolicy, case: CaseBlock, attempt: int, chains: Chains) -> Failure | None:
    hard = policy.timeout.hard
    if hard is not None and (case.after or 0) > hard:
        return _failed("TimeoutError", chains)
    raised = _raised(policy, case, attempt)
    return None if raised is None else _failed(raised, chains)


def _raised(policy: JobPolicy, case: CaseBlock, attempt: int) -> str | None:
    if isinstance(case.raises, tuple):
        return case.raises[attempt - 1] if attempt <= len(case.raises) else None
    if case.raises is None and case.queue is None:
        # A policy by itself shows its whole curve.
        return (policy.retry.retry_on or ("Exception",))[0]
    return case.raises


def _failed(name: str, chains: Chains) -> Failure:
    chain = chains.get(name) or chain_of(name)
    return Failure(AttemptError(name.rpartition(":")[2], "", "", chain), discard=_DISCARD in chain)


def chain_of(name: str) -> tuple[str, ...]:
    """What is known of a class without importing it: all of a built-in one, else its name."""
    found = getattr(builtins, name, None)
    if isinstance(found, type):
        return tuple(cls.__name__ for cls in found.__mro__)
    return (_DISCARD,) if name == "pipeline:Discard" else (name,)


def words(name: str, value: Any) -> str:
    """A value of a result as the file would write it."""
    if name == "total":
        return units.words(value)
    if name == "delays":
        return f"[{', '.join(units.words(delay) for delay in value)}]"
    return str(value)
