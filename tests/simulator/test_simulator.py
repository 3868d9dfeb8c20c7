"""Many short histories with everything that can go wrong, each replayable from its seed."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from tests.simulator.history import play
from tests.simulator.world import Violation

SECONDS = float(os.environ.get("PIPELINE_SIM_SECONDS", "8"))
FIRST_SEED = int(os.environ.get("PIPELINE_SIM_SEED", "1"))

# A checker that nobody has seen fail is not trusted: each of these breaks one rule.
HISTORIES = 1_000
MUTATIONS = {
    "the fence of a settled job is gone": (
        "turn reclaim",
        "if redis.call('HGET', active, id) ~= lease then",
        "if not lease then",
    ),
    "the fence of completed jobs is gone": ("turn", "if held[place] ~= lease then", "if false then"),
    "an old turn is carried out": ("turn", "if tonumber(number) <= tonumber(last) then", "if false then"),
    "an old hold is carried out": ("hold", "if tonumber(number) <= tonumber(last) then", "if false then"),
    "a repeated enqueue adds a job": ("enqueue", "if before then", "if false then"),
    "an enqueue that comes late adds a job": ("enqueue", ">= tonumber(call)", "== tonumber(call)"),
    "a repeated enqueue of own jobs adds one": ("enqueue_each", "if before then", "if false then"),
    "a turn does not un-park": ("turn", "redis.call('SREM', queue .. ':idle', worker)", ""),
    "an enqueue wakes nobody": (
        "enqueue",
        "if direct and hand_over(queue, id, ARGV[fixed + 1]) then return first end",
        "",
    ),
    "the inbox is not read": ("turn", "redis.call('LPOP', queue .. ':inbox:' .. worker, 1000) or {}", "{}"),
    "stale entries are run": ("turn", "if marked and", "if false and"),
    "resume wakes nobody": ("pause", "wake(queue, 1000)", ""),
    "a pause that ends wakes nobody": ("overrides", "wake(queue, 1000)", ""),
    "a removed queue takes jobs": ("retract", "'generation', generation, 'removed'", "'removed'"),
    "an old edit removes a queue": ("retract", "or tonumber(generation) < tonumber(meta[1] or 0)", ""),
    "a call repeated after the removal is refused": (
        "enqueue",
        "string.match(redis.call('GET', memory) or '', '^(%d+):(.+)$')",
        "nil, nil",
    ),
}


def test_every_accepted_job_ends_exactly_once(broker: str) -> None:
    """Lost answers, late commands, kills, frozen workers and supervisors, pauses, edits: nothing is lost or doubled."""
    faults: Counter[str] = Counter()
    end, seed = time.monotonic() + SECONDS, FIRST_SEED
    while time.monotonic() < end:
        try:
            faults += play(broker, seed)
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
        seed += 1
    bitten = {
        "answer",
        "command",
        "late",
        "killed",
        "frozen",
        "host frozen",
        "reclaimed",
        "refused",
        "gone",
        "removed",
    }
    assert bitten <= faults.keys(), f"these never happened: {bitten - faults.keys()}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_broken_rule_is_found(broker: str, rule: str) -> None:
    """Each rule, broken on purpose, leads to a violation within a bounded number of histories."""
    for seed in range(1, HISTORIES):
        try:
            play(broker, seed, mutation=MUTATIONS[rule])
        except Violation:
            return
    pytest.fail(f"not noticed in {HISTORIES} histories: {rule}")
