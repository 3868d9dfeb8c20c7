"""What a cluster bears, from what a job costs."""

from __future__ import annotations

from itertools import product

import pytest

from bench.cluster.model import Cost, bears, clients, fullest_share, nodes, rate
from bench.cluster.nodes import spread
from pipeline.store.slots import SLOTS, slot

COST = Cost(node=4e-6, broker=5e-6, client=15e-6)


def test_a_node_bears_the_jobs_that_fit_into_a_second_of_its_thread() -> None:
    assert bears(COST, 1) == pytest.approx(250_000)


def test_a_cluster_bears_what_its_fullest_node_lets_it() -> None:
    assert bears(COST, 1 / 4) == pytest.approx(1_000_000)
    assert bears(COST, 1 / 2) == pytest.approx(500_000)


def test_with_few_cores_these_are_the_limit_however_many_nodes_there_are() -> None:
    assert [rate(COST, count, cores=2) for count in (1, 2, 3)] == pytest.approx([100_000] * 3)


def test_with_many_cores_the_nodes_are_the_limit() -> None:
    assert [rate(COST, count, cores=1_000) for count in (1, 2, 3)] == pytest.approx(
        [250_000, 500_000, 750_000]
    )


def test_clients_need_cores_in_proportion_to_the_jobs() -> None:
    assert clients(COST, 100_000) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("jobs", "load", "count"), [(0, 1, 1), (250_000, 1, 1), (250_001, 1, 2), (250_000, 0.5, 2)]
)
def test_so_many_nodes_bear_so_many_jobs_at_a_given_load(jobs: float, load: float, count: int) -> None:
    assert nodes(COST, jobs, load) == count


def test_the_cost_of_both_is_the_sum_of_each() -> None:
    assert COST.and_then(Cost(1e-6, 2e-6, 3e-6)) == pytest.approx(Cost(5e-6, 7e-6, 18e-6))


@pytest.mark.parametrize(("queues", "count"), [(1, 1), (1, 5), (2, 2), (4, 3), (6, 3), (5, 4)])
def test_the_share_of_the_fullest_node_is_its_mean_over_all_ways_that_queues_can_fall(
    queues: int, count: int
) -> None:
    ways = list(product(range(count), repeat=queues))
    mean = sum(max(way.count(node) for node in range(count)) for way in ways) / len(ways) / queues
    assert fullest_share(queues, count) == pytest.approx(mean)


def test_many_queues_spread_almost_evenly() -> None:
    assert 1 / 3 < fullest_share(300, 3) < 0.37


@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_the_names_for_the_benchmark_fall_evenly_on_nodes_that_share_the_slots(parts: int) -> None:
    shares = [slot(f"{{shop:{name}}}") * parts // SLOTS for name in spread("shop", 6)]
    assert sorted(shares) == sorted([*range(parts)] * (6 // parts))
