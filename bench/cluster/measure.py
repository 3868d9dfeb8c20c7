"""The measures on one broker: enqueue by several producers, drain by `pipeline run`, and the broker alone."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import closing
from typing import NamedTuple

from bench.adapters import tally
from bench.cluster.bare import BATCH
from bench.cluster.meter import Side, Spent, side, spent
from bench.cluster.nodes import spread
from bench.ours import Project, peer, pipeline
from bench.peer import Load
from bench.places import TALLY
from bench.workers import Workers
from faults.processes import TooLate, eventually
from pipeline.broker import parse
from pipeline.store.connect import connect_blocking
from pipeline.store.operator import Operator

LOAD = Load(100)
FROM, TO = 0.1, 0.8
"""The part of a drain that counts: every queue has jobs then."""
SINGLES = 20
"""For so many jobs that are put in together one is put in by itself."""
PATIENCE = 120
BARE = "bare"


def whole(text: str) -> int:
    """A number of jobs that makes whole batches, and a whole number of singles."""
    jobs = int(text)
    if jobs <= 0 or jobs % (BATCH * SINGLES):
        raise argparse.ArgumentTypeError(f"{text} is no multiple of {BATCH * SINGLES:,}")
    return jobs


class Figures(NamedTuple):
    """What was measured on one broker, in one run."""

    enqueue: Side
    single: Side
    drain: Side
    bare: Side


def measure(url: str, project: Project, jobs: int) -> Figures:
    """On a broker that holds nothing of this project; `jobs` in each queue."""
    return Figures(*ours(url, project, jobs), alone(url, jobs, len(project.queues)))


def ours(url: str, project: Project, jobs: int) -> tuple[Side, Side, Side]:
    """Enqueue while nothing else runs, in batches and then a few one by one; then drain: the queues are paused until every one of them has its worker."""
    project.write(LOAD)
    with closing(connect_blocking(parse(url))) as connection:
        hands = [Operator(connection, project.project, queue) for queue in project.queues]
        for one in hands:
            one.pause("bench")
        singles = jobs // SINGLES
        enqueue, single = put_in(url, project, jobs, BATCH), put_in(url, project, singles, 1)
        with Workers(peer(project, jobs, "cluster"), LOAD) as workers:
            eventually(lambda: all_run(project), "every queue has a worker")
            for one in hands:
                one.resume()
            return enqueue, single, taken_out(url, workers, (jobs + singles) * len(project.queues))


def put_in(url: str, project: Project, jobs: int, size: int) -> Side:
    """By a producer for each queue: while some of them wait for the broker, others keep the cores busy."""
    module, config = "bench.cluster.fill", str(project.config)
    return timed(url, *([module, config, queue, str(jobs), str(size)] for queue in project.queues))


def taken_out(url: str, workers: Workers, jobs: int) -> Side:
    """By workers that have begun. Raises TooLate when they do not get on."""
    looks = [_look(url, workers, int(jobs * share)) for share in (FROM, TO)]
    if workers.wait(jobs, PATIENCE)[0] != jobs:
        raise TooLate(f"{tally.read(str(TALLY))[0]:,} of {jobs:,} jobs ran")
    (begun, before), (ended, after) = looks
    return side(before, after, ended - begun)


def alone(url: str, jobs: int, queues: int) -> Side:
    """Calls that were made beforehand."""
    return timed(url, ["bench.cluster.bare", url, BARE, str(jobs // BATCH), *spread(BARE, queues)])


def timed(url: str, *parts: list[str]) -> Side:
    """Parts of this benchmark, in processes of their own that begin at the same time."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *part], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for part in parts
    ]
    try:
        for one in running:
            _line(one)
        before = spent(url)
        for one in running:
            _begin(one)
        told = [json.loads(_line(one)) for one in running]
        after = spent(url)._replace(client=sum(one["client"] for one in told))
        return side(before, after, sum(one["jobs"] for one in told))
    finally:
        for one in running:
            one.communicate(timeout=PATIENCE)


def all_run(project: Project) -> bool:
    """Whether the supervisor says so."""
    command = pipeline("status", str(project.config), "--json")
    out = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE).stdout
    pools = [pool for one in json.loads(out or "{}").get("supervisors", []) for pool in one["pools"]]
    return len(pools) == len(project.queues) and all(pool["state"] == "running" for pool in pools)


def _look(url: str, workers: Workers, jobs: int) -> tuple[int, Spent]:
    """When so many ran, or more: how many, and what was spent."""
    workers.wait(jobs, PATIENCE)
    return tally.read(str(TALLY))[0], spent(url, workers.working())


def _line(running: subprocess.Popen[str]) -> str:
    line = running.stdout.readline() if running.stdout else ""
    if not line:
        raise RuntimeError(f"{running.args!r} ended too early")
    return line


def _begin(running: subprocess.Popen[str]) -> None:
    if running.stdin:
        running.stdin.write("\n")
        running.stdin.flush()
