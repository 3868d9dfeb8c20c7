"""Each key of the file: how a change of its value is told, and in which class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.config.keys import classes, keys
from pipeline.diff import class_of, shown
from tests.plans import BASE, NOTHING, edited, lines, plan_of

FIXED = {"attempts": 3, "backoff": {"type": "fixed", "delay": "2s"}}
# The value of one key, before and after, and the lines that tell it. NOTHING: the file does not have the key.
ELSEWHERE = [
    ("name", "shop", "mart", ["~ name  shop -> mart  (restart)"]),
    ("broker.url", "redis://queue", "redis://other", ["~ broker.url  redis://queue -> redis://other  (restart)"]),
    ("broker.durability", NOTHING, "fsync", ["~ broker.durability  everysec -> fsync  (restart)"]),
    ("broker.durability", "fsync", {"replicas": 1}, ["~ broker.durability  fsync -> replicas: 1  (restart)"]),
    ("broker.durability.replicas", 1, 2, ["~ broker.durability  replicas: 1 -> replicas: 2  (restart)"]),
    ("broker.allow_eviction", NOTHING, True, ["~ broker.allow_eviction  false -> true  (restart)"]),
    ("setup", NOTHING, "hands:boot", ["~ setup  none -> hands:boot  (rolling)"]),
    ("supervisor.stop_timeout", "40s", "90s", ["~ supervisor.stop_timeout  40s -> 1m30s  (hot)"]),
    ("supervisor.lease", NOTHING, "20s", ["~ supervisor.lease  15s -> 20s  (rolling)"]),
    ("supervisor.import_timeout", NOTHING, "5s", ["~ supervisor.import_timeout  10s -> 5s  (hot)"]),
    ("supervisor.restart.delay", NOTHING, "2s", ["~ supervisor.restart.delay  1s -> 2s  (hot)"]),
    ("supervisor.restart.max", NOTHING, "2m", ["~ supervisor.restart.max  1m -> 2m  (hot)"]),
    ("supervisor.restart.give_up_after", NOTHING, 6, ["~ supervisor.restart.give_up_after  5 -> 6  (hot)"]),
    ("supervisor.reload.watch", NOTHING, False, ["~ supervisor.reload.watch  true -> false  (hot)"]),
    ("supervisor.reload.interval", NOTHING, "5s", ["~ supervisor.reload.interval  2s -> 5s  (hot)"]),
    ("pools.small.processes", 1, 3, ["~ pools.small.processes  1 -> 3  (hot)"]),
    ("pools.small.recycle.max_jobs", NOTHING, 9, ["~ pools.small.recycle.max_jobs  none -> 9  (rolling)"]),
    ("pools.small.recycle.max_memory", NOTHING, "1GiB", ["~ pools.small.recycle.max_memory  none -> 1GiB  (rolling)"]),
    ("pools.small.recycle.max_age", NOTHING, "24h", ["~ pools.small.recycle.max_age  none -> 1d  (rolling)"]),
    ("queues.emails.handler", "hands:send", "hands:post", ["~ queues.emails.handler  hands:send -> hands:post  (rolling)"]),
    ("queues.emails.processes", 2, 4, ["~ queues.emails.processes  2 -> 4  (hot)"]),
    ("queues.emails.recycle.max_jobs", NOTHING, 9, ["~ queues.emails.recycle.max_jobs  none -> 9  (rolling)"]),
    ("queues.emails.recycle.max_memory", "1GiB", "512MiB", ["~ queues.emails.recycle.max_memory  1GiB -> 512MiB  (rolling)"]),
    ("queues.emails.recycle.max_age", "1h", NOTHING, ["~ queues.emails.recycle.max_age  1h -> none  (rolling)"]),
    ("queues.emails.concurrency", 50, 80, ["~ queues.emails.concurrency  50 -> 80  (hot)"]),
    ("queues.emails.max_active", NOTHING, 60, ["~ queues.emails.max_active  none -> 60  (hot)"]),
    ("queues.emails.rate_limit", {"max": 50, "per": "1s"}, {"max": 80, "per": "2s"},
     ["~ queues.emails.rate_limit.max  50 -> 80  (hot)", "~ queues.emails.rate_limit.per  1s -> 2s  (hot)"]),
    ("queues.emails.executor", NOTHING, "thread", ["~ queues.emails.executor  auto -> thread  (rolling)"]),
    ("queues.emails.executor", "process", {"type": "process", "max_jobs": 9},
     ["~ queues.emails.executor.max_jobs  none -> 9  (rolling)"]),
    ("queues.emails.batch", {"size": 10}, {"size": 20, "wait": "1s"},
     ["~ queues.emails.batch.size  10 -> 20  (rolling)", "~ queues.emails.batch.wait  0s -> 1s  (rolling)"]),
    ("queues.emails.paused", NOTHING, True, ["~ queues.emails.paused  false -> true  (hot)"]),
    ("queues.emails.max_crashes", NOTHING, 1, ["~ queues.emails.max_crashes  3 -> 1  (hot)"]),
    ("queues.emails.max_payload", NOTHING, "512KiB", ["~ queues.emails.max_payload  1MiB -> 512KiB  (hot)"]),
    ("queues.emails.ids.keep", NOTHING, "2d", ["~ queues.emails.ids.keep  1d -> 2d  (hot)"]),
    ("queues.emails.retention.completed.count", NOTHING, 7, ["~ queues.emails.retention.completed.count  100 -> 7  (hot)"]),
    ("queues.emails.retention.completed.age", NOTHING, None, ["~ queues.emails.retention.completed.age  1h -> none  (hot)"]),
    ("queues.emails.retention.dead.count", NOTHING, 7, ["~ queues.emails.retention.dead.count  10000 -> 7  (hot)"]),
    ("queues.emails.retention.dead.age", NOTHING, "1w", ["~ queues.emails.retention.dead.age  2w -> 1w  (hot)"]),
    ("queues.a.pool", "small", NOTHING, ["~ queues.a.pool  small -> none  (rolling)"]),
    ("queues.payments.jobs.capture.handler", "hands:capture", "hands:take",
     ["~ queues.payments.jobs.capture.handler  hands:capture -> hands:take  (rolling)"]),
    ("queues.emails.around", NOTHING, ["hands:a"], ["~ queues.emails.around  none -> [hands:a]  (rolling)"]),
    ("queues.payments.jobs.capture.around", ["hands:a"], ["hands:b", "hands:a"],
     ["~ queues.payments.jobs.capture.around  [hands:a] -> [hands:b, hands:a]  (rolling)"]),
    ("queues.payments.jobs.capture.schema", "one.json", "two.json",
     ["~ queues.payments.jobs.capture.schema  a schema -> another one  (hot)"]),
    ("queues.payments.jobs.capture.schema", NOTHING, "two.json",
     ["~ queues.payments.jobs.capture.schema  none -> a schema  (hot)"]),
    ("queues.payments.jobs.capture.schema", "one.json", NOTHING,
     ["~ queues.payments.jobs.capture.schema  a schema -> none  (hot)"]),
]  # fmt: skip
# What both a queue and a job name can say, with the lines below them.
OF_JOBS = [
    ("priority", NOTHING, 7, ["priority  0 -> 7"]),
    ("timeout", NOTHING, "90s", ["timeout  10m -> 1m30s"]),
    ("timeout", "30s", None, ["timeout  30s -> none"]),
    ("timeout", "30s", {"soft": "20s", "hard": "30s"}, ["timeout.soft  none -> 20s"]),
    ("timeout", {"soft": "8s", "hard": "10s"}, "30s", ["timeout.soft  8s -> none", "timeout.hard  10s -> 30s"]),
    ("timeout.soft", "8s", "9s", ["timeout.soft  8s -> 9s"]),
    ("retry", NOTHING, {"attempts": 5}, ["retry.attempts  1 -> 5"]),
    ("retry", {"attempts": 3}, FIXED, ["retry.backoff.type  none -> fixed", "retry.backoff.delay  none -> 2s"]),
    ("retry", FIXED, {"attempts": 3}, ["retry.backoff.type  fixed -> none", "retry.backoff.delay  2s -> none"]),
    ("retry", FIXED, {"attempts": 3, "backoff": {"type": "list", "delays": ["1s", "1m"]}},
     ["retry.backoff.type  fixed -> list", "retry.backoff.delay  2s -> none",
      "retry.backoff.delays  none -> [1s, 1m]"]),
    ("retry", FIXED, {"attempts": 3, "backoff": {"type": "fixed", "delay": "2s", "max": "1m", "jitter": 0.5}},
     ["retry.backoff.max  none -> 1m", "retry.backoff.jitter  none -> 0.5"]),
    ("retry", {"retry_on": ["OSError"]}, {"retry_on": []}, ["retry.retry_on  [OSError] -> []"]),
    ("retry", {"discard_on": ["OSError", "KeyError"]}, NOTHING, ["retry.discard_on  [OSError, KeyError] -> none"]),
    ("deduplication", NOTHING, {"key": "{data.id}"},
     ["deduplication.key  none -> {data.id}", "deduplication.mode  none -> until_done"]),
    ("deduplication", {"key": "{data.id}", "mode": "throttle", "ttl": "1m"}, {"key": "{data.no}", "mode": "throttle", "ttl": "1h"},
     ["deduplication.key  {data.id} -> {data.no}", "deduplication.ttl  1m -> 1h"]),
    ("expires", NOTHING, "10m", ["expires  none -> 10m"]),
]  # fmt: skip
OWNERS = ("queues.emails", "queues.payments.jobs.capture")
TABLE = ELSEWHERE + [
    (f"{owner}.{key}", before, after, [f"~ {owner}.{line}  (hot)" for line in lines])
    for owner in OWNERS
    for key, before, after, lines in OF_JOBS
]


@pytest.mark.parametrize(("path", "before", "after", "told"), TABLE)
def test_a_change_is_told_at_its_key_with_both_values(
    path: str, before: Any, after: Any, told: list[str]
) -> None:
    first = edited(f"{path.rpartition('.')[0]}.hard", "10s") if path.endswith(".soft") else BASE
    assert lines(plan_of(edited(path, before, first)), plan_of(edited(path, after, first))) == told


def test_the_table_has_every_key_that_says_something_of_what_runs() -> None:
    told = {line.split()[1] for *_, expected in TABLE for line in expected}
    names = {"queues.(emails|payments|a)": "queues.*", "jobs.capture": "jobs.*", "pools.small": "pools.*"}
    for name, star in names.items():
        told = {re.sub(name, star, path) for path in told}
    assert told == set(leaves())


def leaves() -> Iterator[str]:
    """The keys that hold a value, without those that are only used where another key names them."""
    elsewhere = ("version", "include", "secrets", "retries", "defaults", "profiles", "tests")
    for path, key in keys().items():
        holds_more = key.below or key.takes in ("a map of names", "a map of keys")
        resolved = path.endswith((".extends", ".retry", ".secret", ".replicas", ".executor.type"))
        if path.startswith(elsewhere) or resolved:
            continue
        if not holds_more or path.endswith((".timeout", ".executor", "broker.url", "broker.durability")):
            yield path


@pytest.mark.parametrize("path", classes())
def test_a_key_has_the_class_that_the_model_says(path: str) -> None:
    assert class_of(path) == classes()[path]


def test_what_the_file_says_otherwise_but_means_the_same_is_no_change() -> None:
    default = edited("defaults.concurrency", 10, edited("supervisor.stop_timeout", "25000ms"))
    assert lines(plan_of(BASE), plan_of(default)) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (True, "true"), (80, "80"), ("30s", "30s"), (["1s", "5s"], "[1s, 5s]"), ([], "[]")],
)
def test_values_are_shown_as_the_file_has_them(value: Any, text: str) -> None:
    assert shown(value) == text
