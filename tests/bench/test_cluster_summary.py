"""What is said of the runs."""

from __future__ import annotations

import pytest

from bench.cluster.measure import Figures
from bench.cluster.meter import Side
from bench.cluster.model import Cost
from bench.cluster.summary import a_job, grows, row

COST = Cost(node=2e-6, broker=3e-6, client=7e-6)


def run(rate: float, cost: Cost = COST, others: float = 0.0) -> Figures:
    one = Side(rate, cost, 1.0, others)
    return Figures(one, one, one, one)


def test_more_nodes_may_do_a_little_less_than_one_and_not_much_less() -> None:
    assert grows({0: [run(300)], 1: [run(100)], 2: [run(96)], 3: [run(120)]}, "drain")
    assert not grows({0: [run(50)], 1: [run(100)], 2: [run(120)], 3: [run(94)]}, "drain")


def test_the_median_counts() -> None:
    one = row({0: [run(1), run(9), run(2)]}, "enqueue", nodes=0, cores=2)
    assert (one.lowest, one.median, one.highest) == (1, 2, 9)


def test_a_prediction_for_a_cluster_is_made_from_the_costs_on_the_plain_server() -> None:
    found = {0: [run(1)], 2: [run(1, Cost(1.0, 1.0, 1.0))]}
    assert row(found, "drain", nodes=2, cores=2).predicted == pytest.approx(2 / 10e-6)


def test_cores_that_do_other_things_are_not_counted_on() -> None:
    found = {0: [run(1, others=0.5)]}
    assert row(found, "drain", nodes=0, cores=2).predicted == pytest.approx(1.5 / 10e-6)


def test_a_job_costs_what_its_enqueue_and_its_drain_cost() -> None:
    assert a_job({0: [run(1)]}, "single") == pytest.approx(Cost(4e-6, 6e-6, 14e-6))
