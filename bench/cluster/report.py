"""Results -> bench/CLUSTER.md."""

from __future__ import annotations

import platform

from bench.cluster.model import bears, clients, fullest_share
from bench.cluster.summary import PARTS, PLAIN, Part, Runs, a_job, grows, row, side

COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
QUEUES = (6, 16, 32, 64)
QUIET = 0.5
"""Cores: supervisors, and what the kernel counts as nobody's, use less."""
PRODUCED_AND_WORKED: tuple[Part, Part] = ("enqueue", "drain")


def text(found: Runs, cores: int, jobs: int) -> str:
    """The report in Markdown: the bars first."""
    lines = [
        "# Cluster",
        "",
        "What `python -m bench.cluster` measured: six queues on one server, and on 1, 2 and 3 nodes of a cluster without replicas",
        f"(the bundled Valkey, append-only file flushed every second), {jobs:,} no-op jobs in each, all on one machine:",
        f"{platform.machine()}, {cores} cores, Python {platform.python_version()}.",
        f"Medians of {len(found[PLAIN])} interleaved runs, with the lowest and the highest.",
        *_quiet(found, cores),
        "",
        *_bars(found),
        *_measured(found, cores),
        *_costs(found),
        *_sixteen(found),
        *_spread(),
    ]
    return "\n".join(lines) + "\n"


def _quiet(found: Runs, cores: int) -> list[str]:
    used = max(row(found, part, nodes, cores).others for part in PARTS for nodes in found)
    return [f"**Up to {used:.1f} cores did other things meanwhile: measure again.**"] if used > QUIET else []


def _bars(found: Runs) -> list[str]:
    lines = ["| bar | |", "|---|---|"]
    for part, name in PARTS.items():
        met = "met" if grows(found, part) else "**missed**"
        lines.append(f"| {name}: 2 and 3 nodes do no less than one (within 5%) | {met} |")
    return [*lines, ""]


def _measured(found: Runs, cores: int) -> list[str]:
    lines = [
        "## Measured and predicted",
        "",
        "Jobs a second. Predicted from what a job costs on the plain server: as many as fit into the one thread of each node,",
        f"and into all {cores} cores together, less what other processes of this machine used meanwhile.",
        "",
        "| | on | measured | predicted | off by | other work, cores |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for part, name in PARTS.items():
        for nodes in sorted(found):
            one = row(found, part, nodes, cores)
            measured = f"{one.median:,.0f} ({one.lowest:,.0f} - {one.highest:,.0f})"
            lines.append(
                f"| {name} | {_name(nodes)} | {measured} | {one.predicted:,.0f} | {one.off:+.0%} | {one.others:.2f} |"
            )
    return [*lines, "", *METHOD, ""]


METHOD = (
    "- **enqueue**: a producer for each queue, in batches of 100 or one by one, nothing else running. **drain**: `pipeline run` with a worker process",
    "  of 100 slots for each queue, everything on that is on by default; the queues are paused until all workers are ready, and what",
    "  counts is the time from 10% to 80% of the jobs. A process for each queue is what the file gives without being told; it is more",
    "  than the cores, but the same on every broker.",
    "- **broker alone**: enqueue calls that were made beforehand, four under way for each queue, by one process. Producers and workers",
    "  cost more CPU than the broker, so only here a single node is what limits, and two bear more than one.",
    "- The names of the queues are chosen so that one lies in each sixth of the slots: 1, 2 and 3 nodes have equal shares of them.",
)


def _costs(found: Runs) -> list[str]:
    lines = [
        "## What a job costs",
        "",
        "Microseconds of CPU, by the servers' own count (INFO) and by /proc. `node` is the thread that runs commands, `broker` all",
        "threads of the nodes, `client` the producers or the workers; round trips are reads of the servers.",
        "",
        "| | on | node | broker | client | round trips |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for part, name in PARTS.items():
        for nodes in sorted(found):
            one = side(found[nodes], part)
            figures = " | ".join(f"{seconds * 1e6:.2f}" for seconds in one.cost)
            lines.append(f"| {name} | {_name(nodes)} | {figures} | {one.trips:.4f} |")
    return [*lines, ""]


def _sixteen(found: Runs) -> list[str]:
    whole, single = a_job(found), a_job(found, "single")
    producers, workers = (side(found[PLAIN], part).cost for part in PRODUCED_AND_WORKED)
    chance = " | ".join(f"{queues} queues by chance" for queues in QUEUES)
    lines = [
        "## Up to 16 nodes",
        "",
        f"By the model (bench/cluster/model.py). A job costs the one thread of a node {whole.node * 1e6:.2f} us from its enqueue to its end,",
        f"{single.node * 1e6:.2f} us when it is put in by itself. So many jobs a second are borne when every node has a core and an even share;",
        "so many cores do their producers and workers need beside, with handlers that do nothing; and so many are borne when",
        "queues fall on nodes by chance.",
        "",
        f"| nodes | jobs/s | put in one by one | cores of producers | of workers | {chance} |",
        f"|--:{'|--:' * (4 + len(QUEUES))}|",
    ]
    for count in COUNTS:
        jobs = bears(whole, 1 / count)
        cores = f"{clients(producers, jobs):.1f} | {clients(workers, jobs):.1f}"
        shares = " | ".join(f"{bears(whole, fullest_share(queues, count)):,.0f}" for queues in QUEUES)
        lines.append(f"| {count} | {jobs:,.0f} | {bears(single, 1 / count):,.0f} | {cores} | {shares} |")
    return [*lines, ""]


def _spread() -> list[str]:
    lines = [
        "## The fullest node",
        "",
        "The expected share of equal queues on the fullest node when they fall by chance; 1/n would be even.",
        "",
        f"| queues | {' | '.join(f'{count} nodes' for count in COUNTS[1:])} |",
        f"|--:{'|--:' * len(COUNTS[1:])}|",
        f"| even | {' | '.join(f'{1 / count:.1%}' for count in COUNTS[1:])} |",
    ]
    for queues in QUEUES:
        shares = " | ".join(f"{fullest_share(queues, count):.1%}" for count in COUNTS[1:])
        lines += [f"| {queues} | {shares} |"]
    return lines


def _name(nodes: int) -> str:
    return "the server" if nodes == PLAIN else f"{nodes} node{'s' * (nodes > 1)}"
