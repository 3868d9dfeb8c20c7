"""A pool is processes that serve queues: one of its own for each queue, or one that several share."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config.load import Loaded
from pipeline.config.show import effective
from pipeline.plan import Plan, PoolPlan, RecyclePlan, ReloadPlan

LoadPlan = Callable[..., Plan]


def test_a_queue_has_a_pool_of_its_own_name(plan: LoadPlan) -> None:
    text = "name: s\nqueues: {a: {handler: 'm:f', processes: 2, recycle: {max_jobs: 9}}, b: {handler: null}}"
    assert plan(text).pools == {"a": PoolPlan(("a",), 2, RecyclePlan(9)), "b": PoolPlan(("b",))}


def test_queues_that_name_a_pool_share_it(plan: LoadPlan) -> None:
    found = plan(
        "name: s\npools: {quick: {processes: 3, recycle: {max_memory: 1GiB}}}\n"
        "queues: {a: {handler: 'm:f', pool: quick}, b: {handler: 'm:f'}, c: {handler: null, pool: quick}}"
    )
    assert found.pools == {
        "quick": PoolPlan(("a", "c"), 3, RecyclePlan(None, 2**30)),
        "b": PoolPlan(("b",)),
    }


def test_a_shared_pool_may_have_the_name_of_a_queue_in_it(plan: LoadPlan) -> None:
    found = plan("name: s\nqueues: {a: {handler: 'm:f', pool: a}, b: {handler: 'm:f', pool: a}}")
    assert found.pools == {"a": PoolPlan(("a", "b"))}


def test_defaults_hold_for_shared_pools_too(plan: LoadPlan) -> None:
    found = plan(
        "name: s\ndefaults: {processes: 4, recycle: {max_jobs: 5, max_age: 1h}}\n"
        "pools: {x: {recycle: {max_jobs: 7}}}\n"
        "queues: {a: {handler: 'm:f', pool: x}, b: {handler: 'm:f', pool: y}}"
    )
    assert found.pools["x"] == PoolPlan(("a",), 4, RecyclePlan(7, None, 3_600_000))
    assert found.pools["y"] == PoolPlan(("b",), 4, RecyclePlan(5, None, 3_600_000))


def test_the_effective_config_of_shared_pools_means_the_same(
    loaded: Callable[..., Loaded], plan: LoadPlan
) -> None:
    text = (
        "name: s\npools: {x: {processes: 2}}\nsupervisor: {reload: {watch: false, interval: 5s}}\n"
        "queues: {a: {handler: 'm:f', pool: x}, b: {handler: 'm:f', pool: x}, c: {handler: 'm:f'}}"
    )
    first = loaded(text)
    assert first.plan is not None
    again = plan(effective(first))
    assert again.pools == first.plan.pools
    assert again.supervisor.reload == ReloadPlan(watch=False, interval=5_000)


def test_the_size_of_a_pool_and_the_watching_count_for_the_hash(plan: LoadPlan) -> None:
    text = "name: s\n{}queues: {{a: {{handler: 'm:f'{}}}}}"
    hashes = {
        plan(text.format("", "")).hash,
        plan(text.format("", ", processes: 2")).hash,
        plan(text.format("", ", recycle: {max_jobs: 5}")).hash,
        plan(text.format("", ", pool: x")).hash,
        plan(text.format("supervisor: {reload: {watch: false}}\n", "")).hash,
    }
    assert len(hashes) == 5
