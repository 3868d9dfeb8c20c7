"""What differs between two plans is told in the words of the file, whole and once."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import fields, replace

from pipeline.config.load import load
from pipeline.diff import Change, diff, restart_required, rolling_pools
from pipeline.plan import Plan, PoolPlan
from tests.plans import BASE, NOTHING, edited, lines, plan_of

ROOT = Path(__file__).parents[1]


# --- queues and pools that come and go --------------------------------------------------------------------


def rolling(old: Plan, new: Plan) -> set[str]:
    return rolling_pools(diff(old, new), old, new)


def test_a_queue_that_comes_or_goes_is_one_change_where_the_file_has_it() -> None:
    old = edited("queues.new.one", NOTHING)
    old["queues"] = {"gone": {"handler": "hands:x"}} | {
        name: queue for name, queue in BASE["queues"].items() if name != "payments"
    }
    assert lines(plan_of(old), plan_of(BASE)) == ["+ queues.payments  (hot)", "- queues.gone  (hot)"]


def test_a_shared_pool_that_comes_or_goes_is_one_change() -> None:
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


def test_a_queue_that_leaves_its_pool_tells_how_many_processes_it_has_then() -> None:
    new = edited("queues.a.processes", 3, edited("queues.a.pool", NOTHING))
    assert lines(plan_of(BASE), plan_of(new)) == [
        "~ queues.a.pool  small -> none  (rolling)",
        "~ queues.a.processes  1 -> 3  (hot)",
    ]


def test_a_queue_that_others_join_has_its_processes_told_as_a_pool() -> None:
    a, b = {"handler": "hands:a"}, {"handler": "hands:b"}
    old = {"name": "shop", "queues": {"a": a | {"processes": 2}, "b": b}}
    new = {"name": "shop", "pools": {"a": {"processes": 5}}}
    new["queues"] = {"a": a | {"pool": "a"}, "b": b | {"pool": "a"}}
    assert lines(plan_of(old), plan_of(new)) == [
        "~ pools.a.processes  2 -> 5  (hot)",
        "~ queues.b.pool  none -> a  (rolling)",
    ]
    assert rolling(plan_of(old), plan_of(new)) == {"a"}


def test_the_order_of_the_file_is_no_change() -> None:
    turned = BASE | {"queues": dict(reversed(BASE["queues"].items()))}
    old, new = plan_of(BASE), plan_of(turned)
    assert (lines(old, new), rolling(old, new), old.hash) == ([], set(), new.hash)


# --- job names --------------------------------------------------------------------------------------------


def test_what_changes_alike_for_every_job_name_is_one_change_of_the_queue() -> None:
    for queue in ("emails", "payments"):
        path = f"queues.{queue}.timeout"
        told = lines(plan_of(edited(path, "30s")), plan_of(edited(path, "40s")))
        assert told == [f"~ {path}  30s -> 40s  (hot)"]


def test_a_handler_is_told_of_its_job_name_even_if_it_is_the_only_one() -> None:
    old = edited("queues.payments.jobs.refund", NOTHING)
    new = edited("queues.payments.jobs.capture.handler", "hands:take", old)
    (line,) = lines(plan_of(old), plan_of(new))
    assert line == "~ queues.payments.jobs.capture.handler  hands:capture -> hands:take  (rolling)"


def test_a_job_name_that_keeps_its_own_value_is_not_told() -> None:
    own = edited("queues.payments.jobs.capture.timeout", "20s")
    old, new = (edited("queues.payments.timeout", timeout, own) for timeout in ("30s", "40s"))
    assert lines(plan_of(old), plan_of(new)) == ["~ queues.payments.jobs.refund.timeout  30s -> 40s  (hot)"]


def test_a_job_name_that_differs_from_its_queue_is_told_apart() -> None:
    new = edited("queues.emails.priority", 1, edited("queues.emails.jobs.reset.priority", 9))
    assert lines(plan_of(BASE), plan_of(new)) == [
        "~ queues.emails.priority  0 -> 1  (hot)",
        "~ queues.emails.jobs.reset.priority  5 -> 9  (hot)",
    ]


def test_a_job_name_can_lack_what_its_queue_has() -> None:
    rule = edited("queues.emails.deduplication", {"key": "{data.id}"})
    without = edited("queues.emails.jobs.reset.deduplication", None, rule)
    assert lines(plan_of(rule), plan_of(without)) == [
        "~ queues.emails.jobs.reset.deduplication.key  {data.id} -> none  (hot)",
        "~ queues.emails.jobs.reset.deduplication.mode  until_done -> none  (hot)",
    ]


def test_a_job_name_that_comes_or_goes_is_one_change_and_rolls() -> None:
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
def test_a_handler_for_the_names_that_are_not_listed_comes_and_goes(handler: str | None) -> None:
    old, new = plan_of(BASE), plan_of(edited("queues.payments.handler", handler))
    place = {"path": "queues.payments.handler", "change_class": "rolling"}
    own = {"queue": "payments", "leaf": "handler"}
    assert diff(old, new) == (Change(kind="added", from_=None, to=handler, **place, **own),)  # type: ignore[arg-type]
    assert diff(new, old) == (Change(kind="removed", from_=handler, to=None, **place, **own),)  # type: ignore[arg-type]


def test_names_with_dots_stay_whole() -> None:
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
def test_an_address_is_told_without_its_login(old: str, new: str, told: tuple[str, str]) -> None:
    plans = [plan_of(edited("broker.url", url)) for url in (old, new)]
    (change,) = diff(*plans)
    assert (change.from_, change.to, change.change_class) == (*told, "restart")
    assert restart_required([change])
    assert not re.search("pass|ss1", str(change))


def test_an_address_that_is_a_secret_is_not_shown() -> None:
    new = edited("broker.url", {"secret": "login"}, edited("secrets.login", {"env": "LOGIN"}))
    (change,) = diff(plan_of(BASE), plan_of(new))
    assert (change.from_, change.to) == ("redis://queue", "a secret")


def test_an_address_that_is_not_known_is_no_change() -> None:
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
def test_only_the_pools_that_a_change_concerns_roll(path: str, value: Any, pools: set[str]) -> None:
    assert rolling(plan_of(BASE), plan_of(edited(path, value))) == pools


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
