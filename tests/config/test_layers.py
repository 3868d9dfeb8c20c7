"""Whose value wins: built-in, defaults, queue, job. Maps merge, lists replace, null resets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.plan import Plan
from pipeline.policy import Backoff, JobPolicy, Retention, RetryPolicy, Timeout

LoadPlan = Callable[..., Plan]


HEAD = "name: shop\nretries:\n  std: {attempts: 3, backoff: {type: exponential, delay: 2s, max: 1m, jitter: 0.2}}\n"


def job_of(plan: LoadPlan, defaults: str, queue: str, job: str = "") -> JobPolicy:
    """What holds for the job `x` of a queue."""
    text = f'{HEAD}defaults: {{{defaults}}}\nqueues: {{q: {{handler: "m:f", {queue}, jobs: {{x: {{{job}}}}}}}}}\n'
    return plan(text.replace('f", , ', 'f", ')).queues["q"].jobs["x"]


@pytest.mark.parametrize(
    ("defaults", "queue", "job", "timeout"),
    [
        ("", "", "", Timeout(None, 600_000)),
        ("timeout: 30s", "", "", Timeout(None, 30_000)),
        ("timeout: 30s", "timeout: 20s", "", Timeout(None, 20_000)),
        ("timeout: 30s", "timeout: 20s", "timeout: 10s", Timeout(None, 10_000)),
        ("timeout: 30s", "timeout: null", "", Timeout(None, None)),
        ("timeout: 30s", "timeout: {soft: 8s}", "", Timeout(8_000, 600_000)),
        ("timeout: {soft: 5s, hard: 9s}", "timeout: {hard: 20s}", "", Timeout(5_000, 20_000)),
        ("timeout: {soft: 5s, hard: 9s}", "timeout: 20s", "", Timeout(None, 20_000)),
        ("timeout: {soft: 5s, hard: 9s}", "timeout: {hard: null}", "", Timeout(5_000, None)),
        ("timeout: {soft: 5s, hard: 9s}", "timeout: {soft: null}", "", Timeout(None, 9_000)),
    ],
)
def test_timeouts_merge(plan: LoadPlan, defaults: str, queue: str, job: str, timeout: Timeout) -> None:
    assert job_of(plan, defaults, queue or "priority: 0", job).timeout == timeout


STD = Backoff("exponential", 2_000, 60_000, 0.2)


@pytest.mark.parametrize(
    ("defaults", "queue", "job", "retry"),
    [
        ("", "", "", RetryPolicy()),
        ("retry: std", "", "", RetryPolicy(3, STD)),
        ("retry: std", "retry: null", "", RetryPolicy()),
        ("retry: std", "retry: {attempts: 5}", "", RetryPolicy(5)),
        ("retry: std", "retry: {extends: std, attempts: 5}", "", RetryPolicy(5, STD)),
        (
            "retry: {extends: std}",
            "retry: {backoff: {max: 10s}}",
            "",
            RetryPolicy(3, Backoff("exponential", 2_000, 10_000, 0.2)),
        ),
        (
            "",
            "retry: {extends: std, backoff: {type: fixed, delay: 1s}}",
            "",
            RetryPolicy(3, Backoff("fixed", 1_000)),
        ),
        (
            "",
            "retry: {extends: std, backoff: {type: list, delays: [1s, 5s]}}",
            "",
            RetryPolicy(3, Backoff("list", delays=(1_000, 5_000))),
        ),
        (
            "retry: {retry_on: [TimeoutError, OSError]}",
            "retry: {retry_on: [KeyError]}",
            "",
            RetryPolicy(retry_on=("KeyError",)),
        ),
        ("", "retry: std", "retry: {extends: std, backoff: null}", RetryPolicy(3)),
    ],
)
def test_retries_merge(plan: LoadPlan, defaults: str, queue: str, job: str, retry: RetryPolicy) -> None:
    assert job_of(plan, defaults, queue or "priority: 0", job).retry == retry


def test_null_resets_to_the_built_in_value(plan: LoadPlan) -> None:
    text = HEAD + "defaults: {concurrency: 50, max_active: 5, priority: 4, retention: {dead: {count: 7}}}\n"
    queue = plan(
        text
        + "queues: {q: {handler: 'm:f', concurrency: null, max_active: null, priority: null, retention: null}}\n"
    ).queues["q"]
    assert (queue.concurrency, queue.max_active, queue.dead) == (10, None, Retention(10_000, 14 * 86_400_000))
    assert queue.others is not None
    assert queue.others.priority == 0


def test_retention_merges_key_by_key_and_null_is_no_limit(plan: LoadPlan) -> None:
    text = HEAD + "defaults: {retention: {completed: {count: 5}}}\n"
    queue = plan(
        text + "queues: {q: {handler: 'm:f', retention: {completed: {age: null}, dead: {count: 0}}}}\n"
    ).queues["q"]
    assert (queue.completed, queue.dead) == (Retention(5, None), Retention(0, 14 * 86_400_000))


def test_jobs_take_over_what_they_do_not_say(plan: LoadPlan) -> None:
    text = HEAD + (
        "queues:\n  q:\n    handler: m:all\n    priority: 3\n    deduplication: {key: '{data.id}'}\n"
        "    jobs:\n      a:\n      b: {handler: 'm:b', priority: 9, deduplication: null}\n"
    )
    queue = plan(text).queues["q"]
    a, b = queue.jobs["a"], queue.jobs["b"]
    assert (a.handler, a.priority, a.deduplication and a.deduplication.key) == ("m:all", 3, "{data.id}")
    assert (b.handler, b.priority, b.deduplication) == ("m:b", 9, None)


def test_without_a_handler_only_listed_jobs_are_known_and_null_stores_all(plan: LoadPlan) -> None:
    queues = plan("name: s\nqueues: {a: {jobs: {x: {handler: 'm:f'}}}, b: {handler: null}}\n").queues
    assert queues["a"].job("y") is None
    assert queues["b"].job("y") == JobPolicy(timeout=Timeout(None, 600_000))


def test_anchors_and_merge_keys_work_and_x_keys_are_ignored(plan: LoadPlan) -> None:
    text = (
        "name: s\nx-base: &base {concurrency: 4, processes: 2, x-note: 010}\nx-more: &more {concurrency: 9}\n"
        "queues:\n  a: {<<: [*more, *base], handler: 'm:f'}\n  b: {<<: *base, handler: 'm:f', processes: 3}\n"
        "  x-c: {handler: 'm:f'}\n"
    )
    made = plan(text)
    assert {name: (queue.concurrency, made.pools[name].processes) for name, queue in made.queues.items()} == {
        "a": (9, 2),
        "b": (4, 3),
        "x-c": (10, 1),
    }


def test_yaml_is_read_by_the_core_rules_of_1_2(plan: LoadPlan) -> None:
    queues = plan(
        "name: no\nqueues:\n  on: {handler: 'm:f', concurrency: 0x1F}\n  '22': {handler: 'm:f', concurrency: 0o17}\n"
        "  2024-01-01: {handler: 'm:f', paused: TRUE}\n"
    ).queues
    assert {name: queue.concurrency for name, queue in queues.items()} == {
        "on": 31,
        "22": 15,
        "2024-01-01": 10,
    }


def test_the_hash_names_the_content_and_not_how_it_is_written(plan: LoadPlan) -> None:
    one = plan("name: s\nqueues: {a: {handler: 'm:f', timeout: 60s}}\n")
    same = plan("# a comment\nqueues:\n  a:\n    timeout: 1m\n    handler: m:f\nname: s\n")
    other = plan("name: s\nqueues: {a: {handler: 'm:f', timeout: 61s}}\n")
    assert one.hash == same.hash != other.hash


def test_the_root_is_above_configs(plan: LoadPlan) -> None:
    made = plan("name: s\nqueues: {a: {handler: 'm:f'}}\n")
    assert made.file == f"{made.root}/configs/shop.yaml"
