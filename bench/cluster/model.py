"""What a broker of so many nodes bears, from what a job costs. Pure.

A queue lives in one slot, so on one node. A node has one thread that runs commands: it bears as many jobs a second as fit
into one second of that thread, and a cluster as many as its fullest node lets it.
"""

from __future__ import annotations

from math import ceil, comb
from typing import NamedTuple

NEGLIGIBLE = 1e-9


class Cost(NamedTuple):
    """Seconds of CPU that a job costs."""

    node: float
    """In the one thread of a node that runs commands."""
    broker: float
    """In all threads of the nodes."""
    client: float
    """In producers, or in workers."""

    def and_then(self, other: Cost) -> Cost:
        """Of a job for which both is done."""
        return Cost(self.node + other.node, self.broker + other.broker, self.client + other.client)


def bears(cost: Cost, fullest: float) -> float:
    """Jobs a second, when the fullest node has this share of them: 1 for one node, 1/n for n nodes that share evenly."""
    return 1 / (cost.node * fullest)


def rate(cost: Cost, nodes: int, cores: float) -> float:
    """Jobs a second of nodes that share evenly, with all processes on one machine of so many cores."""
    return min(bears(cost, 1 / nodes), cores / (cost.broker + cost.client))


def clients(cost: Cost, jobs: float) -> float:
    """Cores that producers, or workers, need for so many jobs a second."""
    return jobs * cost.client


def nodes(cost: Cost, jobs: float, load: float = 1.0) -> int:
    """Nodes that share evenly and bear so many jobs a second, each with its thread busy for this share of the time."""
    return max(1, ceil(jobs * cost.node / load))


def fullest_share(queues: int, nodes: int) -> float:
    """The expected share of equal queues on the fullest node, when each of them falls on any node with the same chance."""
    expected = 0.0
    for most in range(queues):
        beyond = 1 - _within(queues, nodes, most)
        expected += beyond
        if beyond < NEGLIGIBLE:
            break
    return expected / queues


def _within(queues: int, nodes: int, most: int) -> float:
    """The chance that no node has more than `most` of the queues: node by node, by how many are left for the others."""
    left = {queues: 1.0}
    for others in range(nodes - 1, -1, -1):
        after: dict[int, float] = {}
        for here, chance in left.items():
            for taken in range(min(most, here) + 1):
                after[here - taken] = after.get(here - taken, 0.0) + chance * _binomial(
                    here, taken, 1 / (others + 1)
                )
        left = after
    return left.get(0, 0.0)


def _binomial(trials: int, hits: int, chance: float) -> float:
    return comb(trials, hits) * chance**hits * (1 - chance) ** (trials - hits)
