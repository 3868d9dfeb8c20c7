"""python -m bench.cluster: measures, writes bench/CLUSTER.md, and draws docs/scaling.svg. See README.md."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench.cluster import nodes, picture, report
from bench.cluster.measure import Figures, measure, whole
from bench.ours import Project
from bench.places import HERE, WORK

PROJECT, QUEUES = "bench", 6
BROKERS = (0, 1, 2, 3)
"""Nodes of the cluster; 0 is a server that is none."""
PICTURE = HERE.parent / "docs" / "scaling.svg"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--jobs", type=whole, default=60_000, help="in each of the 6 queues")
    parser.add_argument("--runs", type=int, default=3, help="the median counts")
    parser.add_argument("--report", type=Path, default=HERE / "CLUSTER.md")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    found = runs(args.jobs, args.runs)
    text = report.text(found, cores, args.jobs)
    args.report.write_text(text)
    picture.draw(found, cores, args.picture)
    print(text)


def runs(jobs: int, count: int) -> dict[int, list[Figures]]:
    """What was measured on each broker; one after the other, in another order in each run."""
    WORK.mkdir(parents=True, exist_ok=True)
    found: dict[int, list[Figures]] = {broker: [] for broker in BROKERS}
    for number in range(count):
        for broker in BROKERS[number:] + BROKERS[:number]:
            found[broker].append(one(broker, jobs))
            print(f"run {number + 1}, {broker} nodes: {found[broker][-1]}", flush=True)
    return found


def one(broker: int, jobs: int) -> Figures:
    """One run on a broker of its own."""
    with nodes.started(broker) as url:
        project = Project("ours-cluster", broker=url, queues=nodes.spread(PROJECT, QUEUES))
        return measure(url, project, jobs)


main()
