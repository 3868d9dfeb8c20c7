"""What differs between two plans is told in the words of the file, whole, once, and in its class."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import fields, replace

from pipeline.config.keys import classes, keys
from pipeline.config.load import load
from pipeline.diff import Change, class_of, diff, restart_required, rolling_pools, shown
from pipeline.plan import Plan, PoolPlan

ROOT = Path(__file__).parents[1]
Document = dict[str, Any]
PlanOf = Callable[[Document], Plan]
NOTHING: Any = object()

BASE: Document = {
    "name": "shop",
    "broker": {"url": "redis://queue"},
    "pools": {"small": {"processes": 1}},
    "queues": {
        "emails": {"handler": "hands:send", "jobs": {"receipt": {}, "reset": {"priority": 5}}},
        "payments": {
            "jobs": {"capture": {"handler": "hands:capture"}, "refund": {"handler": "hands:refund"}}
        },
        "a": {"handler": "hands:a", "pool": "small"},
        "b": {"handler": "hands:b", "pool": "small"},
    },
}
FIXED = {"attempts": 3, "backoff": {"type": "fixed", "delay": "2s"}}
# The value of one key, before and after, and the lines that tell it. NOTHING: the file does not have the key.
ELSEWHERE = [
    ("name", "shop", "mart", ["~ name  shop -> mart  (restart)"]),
    ("broker.url", "redis://queue", "redis://other", ["~ broker.url  redis://queue -> redis://other  (restart)"]),
    ("broker.durability", NOTHING, "fsync", ["~ broker.durability  everysec -> fsync  (restart)"]),
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
    ("queues.emails.executor", NOTHING, "thread", ["~ queues.emails.executor  auto -> thread  (rolling)"]),
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
]  # fmt: skip
OWNERS = ("queues.emails", "queues.payments.jobs.capture")
TABLE = ELSEWHERE + [
    (f"{owner}.{key}", before, after, [f"~ {owner}.{line}  (hot)" for line in lines])
    for owner in OWNERS
    for key, before, after, lines in OF_JOBS
]


@pytest.fixture
def plan_of(tmp_path: Path) -> PlanOf:
    """The plan of a document that has no error."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"title": name}))
    numbers = count()

    def built(document: Document) -> Plan:
        file = tmp_path / f"{next(numbers)}.yaml"
        file.write_text(json.dumps(document))
        loaded = load(file, env={"LOGIN": "redis://cache.internal"})
        assert loaded.plan is not None, [finding.message for finding in loaded.findings]
        return replace(loaded.plan, file="")

    return built


def edited(path: str, value: Any, document: Document = BASE) -> Document:
    """The document with one key set, or without it."""
    document = copy.deepcopy(document)
    *blocks, last = path.split(".")
    node = document
    for block in blocks:
        node = node.setdefault(block, {}) if isinstance(node.get(block, {}), dict) else {}
    if value is NOTHING:
        node.pop(last, None)
    else:
        node[last] = value
    return document


def lines(old: Plan, new: Plan) -> list[str]:
    return [str(change) for change in diff(old, new)]


# --- each key ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "before", "after", "told"), TABLE)
def test_a_change_is_told_at_its_key_with_both_values(
    plan_of: PlanOf, path: str, before: Any, after: Any, told: list[str]
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
        resolved = path.endswith((".extends", ".retry", ".secret"))
        if path.startswith(elsewhere) or resolved:
            continue
        if not holds_more or path.endswith((".timeout", "broker.url")):
            yield path


@pytest.mark.parametrize("path", classes())
def test_a_key_has_the_class_that_the_model_says(path: str) -> None:
    assert class_of(path) == classes()[path]


def test_what_the_file_says_otherwise_but_means_the_same_is_no_change(plan_of: PlanOf) -> None:
    default = edited("defaults.concurrency", 10, edited("supervisor.stop_timeout", "25000ms"))
    assert lines(plan_of(BASE), plan_of(default)) == []


# --- queues and pools that come and go --------------------------------------------------------------------


def test_a_queue_that_comes_or_goes_is_one_change_where_the_file_has_it(plan_of: PlanOf) -> None:
    old = edited("queues.new.one", NOTHING)
    old["queues"] = {"gone": {"handler": "hands:x"}} | {
        name: queue for name, queue in BASE["queues"].items() if name != "payments"
    }
    assert lines(plan_of(old), plan_of(BASE)) == ["+ queues.payments  (hot)", "- queues.gone  (hot)"]


def test_a_shared_pool_that_comes_or_goes_is_one_change(plan_of: PlanOf) -> None:
    alone = edited("pools", NOTHING)
    alone["queues"]["a"].pop("pool")
    alone["queues"]["b"].pop("pool")
    came = diff(plan_of(alone), plan_of(BASE))
    assert [str(change) for change in came] == [
        "+ pools.small  (hot)",
        "~ queues.a.pool  none -> small  (rolling)",
        "~ queues.b.pool  none -> small  (rolling)",
    ]
    assert (came[0].pool, came[0].leaf) == ("small", "")
    assert lines(plan_of(BASE), plan_of(alone))[0] == "- pools.small  (hot)"


def test_a_queue_that_leaves_its_pool_tells_how_many_processes_it_has_then(plan_of: PlanOf) -> None:
    new = edited("queues.a.processes", 3, edited("queues.a.pool", NOTHING))
    assert lines(plan_of(BASE), plan_of(new)) == [
        "~ queues.a.pool  small -> none  (rolling)",
        "~ queues.a.processes  1 -> 3  (hot)",
    ]


def test_a_queue_that_others_join_has_its_processes_told_as_a_pool(plan_of: PlanOf) -> None:
    a, b = {"handler": "hands:a"}, {"handler": "hands:b"}
    old = {"name": "shop", "queues": {"a": a | {"processes": 2}, "b": b}}
    new = {"name": "shop", "pools": {"a": {"processes": 5}}}
    new["queues"] = {"a": a | {"pool": "a"}, "b": b | {"pool": "a"}}
    assert lines(plan_of(old), plan_of(new)) == [
        "~ pools.a.processes  2 -> 5  (hot)",
        "~ queues.b.pool  none -> a  (rolling)",
    ]
    assert rolling_pools(plan_of(old), plan_of(new)) == {"a"}


def test_the_order_of_the_file_is_no_change(plan_of: PlanOf) -> None:
    turned = BASE | {"queues": dict(reversed(BASE["queues"].items()))}
    old, new = plan_of(BASE), plan_of(turned)
    assert (lines(old, new), rolling_pools(old, new), old.hash) == ([], set(), new.hash)


# --- job names --------------------------------------------------------------------------------------------


def test_what_changes_alike_for_every_job_name_is_one_change_of_the_queue(plan_of: PlanOf) -> None:
    for queue in ("emails", "payments"):
        path = f"queues.{queue}.timeout"
        told = lines(plan_of(edited(path, "30s")), plan_of(edited(path, "40s")))
        assert told == [f"~ {path}  30s -> 40s  (hot)"]


def test_a_job_name_that_keeps_its_own_value_is_not_told(plan_of: PlanOf) -> None:
    own = edited("queues.payments.jobs.capture.timeout", "20s")
    old, new = (edited("queues.payments.timeout", timeout, own) for timeout in ("30s", "40s"))
    assert lines(plan_of(old), plan_of(new)) == ["~ queues.payments.jobs.refund.timeout  30s -> 40s  (hot)"]


def test_a_job_name_that_differs_from_its_queue_is_told_apart(plan_of: PlanOf) -> None:
    new = edited("queues.emails.priority", 1, edited("queues.emails.jobs.reset.priority", 9))
    assert lines(plan_of(BASE), plan_of(new)) == [
        "~ queues.emails.priority  0 -> 1  (hot)",
        "~ queues.emails.jobs.reset.priority  5 -> 9  (hot)",
    ]


def test_a_job_name_can_lack_what_its_queue_has(plan_of: PlanOf) -> None:
    rule = edited("queues.emails.deduplication", {"key": "{data.id}"})
    without = edited("queues.emails.jobs.reset.deduplication", None, rule)
    assert lines(plan_of(rule), plan_of(without)) == [
        "~ queues.emails.jobs.reset.deduplication.key  {data.id} -> none  (hot)",
        "~ queues.emails.jobs.reset.deduplication.mode  until_done -> none  (hot)",
    ]


def test_a_job_name_that_comes_or_goes_is_one_change_and_rolls(plan_of: PlanOf) -> None:
    new = edited("queues.payments.jobs.capture", NOTHING)
    new["queues"]["payments"]["jobs"]["void"] = {"handler": "hands:void"}
    told = diff(plan_of(BASE), plan_of(new))
    assert [str(change) for change in told] == [
        "+ queues.payments.jobs.void  (rolling)",
        "- queues.payments.jobs.capture  (rolling)",
    ]
    assert [(one.queue, one.job, one.leaf) for one in told] == [
        ("payments", "void", ""),
        ("payments", "capture", ""),
    ]


@pytest.mark.parametrize("handler", ["hands:any", None])
def test_a_handler_for_the_names_that_are_not_listed_comes_and_goes(
    plan_of: PlanOf, handler: str | None
) -> None:
    old, new = plan_of(BASE), plan_of(edited("queues.payments.handler", handler))
    place = {"path": "queues.payments.handler", "change_class": "rolling"}
    own = {"queue": "payments", "leaf": "handler"}
    assert diff(old, new) == (Change(kind="added", from_=None, to=handler, **place, **own),)  # type: ignore[arg-type]
    assert diff(new, old) == (Change(kind="removed", from_=handler, to=None, **place, **own),)  # type: ignore[arg-type]


def test_names_with_dots_stay_whole(plan_of: PlanOf) -> None:
    old = {"name": "shop", "queues": {"a.jobs": {"handler": "hands:a", "jobs": {"pool.lease": {}}}}}
    new = copy.deepcopy(old)
    new["queues"]["a.jobs"]["concurrency"] = 7  # type: ignore[index]
    new["queues"]["a.jobs"]["jobs"]["pool.lease"] = {"priority": 3}  # type: ignore[index]
    told = diff(plan_of(old), plan_of(new))
    assert [(one.queue, one.job, one.leaf, one.change_class) for one in told] == [
        ("a.jobs", None, "concurrency", "hot"),
        ("a.jobs", "pool.lease", "priority", "hot"),
    ]


# --- the broker's address ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("redis://me:pass1@queue/0", "rediss://me:pass2@other/0", ("redis://queue/0", "rediss://other/0")),
        ("redis://me:pass1@queue/0", "redis://me:pass2@queue/0", ("redis://queue/0", "redis://queue/0, otherwise")),
        ("redis://:p@ss1@queue", "redis://queue?password=pass2", ("redis://queue", "redis://queue, otherwise")),
        ("embedded", "unix:///run/queue.sock", ("embedded", "unix:///run/queue.sock")),
    ],
)  # fmt: skip
def test_an_address_is_told_without_its_login(
    plan_of: PlanOf, old: str, new: str, told: tuple[str, str]
) -> None:
    plans = [plan_of(edited("broker.url", url)) for url in (old, new)]
    (change,) = diff(*plans)
    assert (change.from_, change.to, change.change_class) == (*told, "restart")
    assert restart_required([change])
    assert not re.search("pass|ss1", str(change))


def test_an_address_that_is_a_secret_is_not_shown(plan_of: PlanOf) -> None:
    new = edited("broker.url", {"secret": "login"}, edited("secrets.login", {"env": "LOGIN"}))
    (change,) = diff(plan_of(BASE), plan_of(new))
    assert (change.from_, change.to) == ("redis://queue", "a secret")


def test_an_address_that_is_not_known_is_no_change(plan_of: PlanOf) -> None:
    plan = plan_of(BASE)
    kept = replace(plan, broker=replace(plan.broker, url=""))
    assert (diff(kept, plan), diff(plan, kept)) == ((), ())


# --- which processes are replaced -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "pools"),
    [
        ("setup", "hands:boot", {"emails", "payments", "small"}),
        ("supervisor.lease", "20s", {"emails", "payments", "small"}),
        ("queues.emails.handler", "hands:post", {"emails"}),
        ("queues.payments.jobs.capture.handler", "hands:take", {"payments"}),
        ("queues.payments.jobs.void", {"handler": "hands:void"}, {"payments"}),
        ("queues.a.executor", "thread", {"small"}),
        ("queues.a.pool", NOTHING, {"small"}),
        ("queues.b", NOTHING, {"small"}),
        ("queues.c", {"handler": "hands:c", "pool": "small"}, {"small"}),
        ("pools.small.recycle", {"max_jobs": 9}, {"small"}),
        ("queues.emails.recycle", {"max_age": "1h"}, {"emails"}),
        ("pools.small.processes", 5, set()),
        ("queues.emails.concurrency", 7, set()),
        ("queues.emails.timeout", "7s", set()),
        ("queues.c", {"handler": "hands:c"}, set()),
        ("queues.emails", NOTHING, set()),
    ],
)
def test_only_the_pools_that_a_change_concerns_roll(
    plan_of: PlanOf, path: str, value: Any, pools: set[str]
) -> None:
    assert rolling_pools(plan_of(BASE), plan_of(edited(path, value))) == pools


# --- nothing is missed ------------------------------------------------------------------------------------


def other_values(value: Any, kind: Any = None) -> Iterator[Any]:
    """Values that differ from this one in one place: one for each field, however deep."""
    if get_origin(kind) is Literal:
        yield from (other for other in get_args(kind) if other != value)
    elif isinstance(value, Struct):
        for field in fields(value):
            for other in other_values(getattr(value, field.name), field.type):
                yield replace(value, **{field.name: other})
    elif isinstance(value, dict):
        for name in value:
            yield {key: one for key, one in value.items() if key != name}
            yield from (value | {name: other} for other in other_values(value[name]))
    elif value is None:
        yield from ("x", 7)
    elif isinstance(value, tuple | list):
        yield type(value)((*value, "OSError"))
    elif isinstance(value, bool):
        yield not value
    else:
        yield f"{value}x" if isinstance(value, str) else value + 1


def is_possible(plan: Plan) -> bool:
    """Whether the types are right, and each queue has its name and its one pool."""
    try:
        msgspec.convert(msgspec.to_builtins(plan), Plan)
    except msgspec.ValidationError:
        return False
    served = [queue for pool in plan.pools.values() for queue in pool.queues]
    return served == list(plan.queues) and all(queue.name == name for name, queue in plan.queues.items())


def test_no_field_of_a_plan_can_change_unseen() -> None:
    plan = load(ROOT / "configs" / "prod.yaml", env={"PIPELINE_BROKER": "redis://queue"}).plan
    assert plan is not None
    parts = {
        name: getattr(plan, name) for name in ("name", "broker", "supervisor", "setup", "queues", "pools")
    }
    others = [replace(plan, **{name: other}) for name, part in parts.items() for other in other_values(part)]
    # A queue that goes takes its pool along.
    others += [replace(one, pools=pools) for one in others for pools in [pools_of(one)] if pools != one.pools]
    possible = [one for one in others if is_possible(one)]
    assert len(possible) > 150
    assert [one for one in possible if not diff(plan, one) or not diff(one, plan)] == []


def pools_of(plan: Plan) -> dict[str, PoolPlan]:
    return {name: pool for name, pool in plan.pools.items() if set(pool.queues) <= plan.queues.keys()}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (True, "true"), (80, "80"), ("30s", "30s"), (["1s", "5s"], "[1s, 5s]"), ([], "[]")],
)
def test_values_are_shown_as_the_file_has_them(value: Any, text: str) -> None:
    assert shown(value) == text
