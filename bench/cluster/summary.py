"""The runs in short: medians and their spread, and what the model says beside them. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from bench.cluster import model
from bench.cluster.measure import Figures
from bench.cluster.meter import Side
from bench.cluster.model import Cost

Part = Literal["enqueue", "single", "drain", "bare"]
PARTS: Mapping[Part, str] = {
    "enqueue": "enqueue",
    "single": "enqueue one by one",
    "drain": "drain",
    "bare": "broker alone",
}
Runs = Mapping[int, Sequence[Figures]]
"""By the number of nodes; 0 is a server that is no cluster."""
PLAIN = 0


class Row(NamedTuple):
    """One part of the work on one broker: jobs a second, in the median, lowest and highest run, and as predicted for the
    cores that were left by `others`."""

    median: float
    lowest: float
    highest: float
    predicted: float
    others: float

    @property
    def off(self) -> float:
        """The prediction's share above what was measured."""
        return self.predicted / self.median - 1


def side(runs: Sequence[Figures], part: Part) -> Side:
    """The median of each figure."""
    sides: list[Side] = [getattr(run, part) for run in runs]
    cost = Cost(*(statistics.median(values) for values in zip(*(one.cost for one in sides), strict=True)))
    rate, trips, others = (
        _median(getattr(one, name) for one in sides) for name in ("rate", "trips", "others")
    )
    return Side(rate, cost, trips, others)


def row(found: Runs, part: Part, nodes: int, cores: int) -> Row:
    """What was measured on so many nodes, and what the costs on the plain server let one expect of them."""
    sides: list[Side] = [getattr(run, part) for run in found[nodes]]
    rates, others = [one.rate for one in sides], [one.others for one in sides]
    cost = side(found[PLAIN], part).cost
    expected = _median(model.rate(cost, max(nodes, 1), cores - used) for used in others)
    return Row(_median(rates), min(rates), max(rates), expected, _median(others))


def a_job(found: Runs, enqueue: Part = "enqueue") -> Cost:
    """What a job costs the plain server from its enqueue, as this part does it, to its end."""
    return side(found[PLAIN], enqueue).cost.and_then(side(found[PLAIN], "drain").cost)


def grows(found: Runs, part: Part, tolerance: float = 0.05) -> bool:
    """Whether more nodes never do less than one, but for what runs of one differ by."""
    medians = [side(found[nodes], part).rate for nodes in sorted(found) if nodes]
    return min(medians) >= medians[0] * (1 - tolerance)


def _median(values: Iterable[float]) -> float:
    return statistics.median(list(values))
