"""The picture for docs/scaling.md: what was measured on 1 to 3 nodes beside the prediction, and the prediction up to 16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.cluster.model import Cost, bears, fullest_share
from bench.cluster.summary import PARTS, PLAIN, Part, Row, Runs, a_job, row
from bench.svg import TEXT, bar, curve, line, page, text

WIDTH, HEIGHT, TOP, BOTTOM = 760, 330, 70, 280
LEFT, MIDDLE, SECOND, RIGHT = 16, 452, 490, 650
BAR, STEP, GAP = 24, 33, 12
COLORS: dict[Part, str] = {"enqueue": "#0969da", "drain": "#1f883d", "bare": "#d9730d"}
EVEN, CURVES = "#1f883d", {64: "#0969da", 16: "#d9730d"}
MOST_NODES = 16


def draw(found: Runs, cores: int, path: Path) -> None:
    """Bars for what was measured; curves for queues that share the nodes evenly, or fall on them by chance."""
    head = [
        text(LEFT, 24, f"Jobs a second: 6 queues, everything on {cores} cores", bold=True),
        text(LEFT, 42, "bars: measured; lines across: predicted"),
        text(SECOND, 24, "What n nodes bear, predicted", bold=True),
        text(SECOND, 42, "millions of jobs a second, enqueue to end"),
    ]
    label = "Jobs a second on cluster nodes: measured on 1 to 3 of them, predicted for up to 16"
    path.write_text(page(WIDTH, HEIGHT, label, [*head, *_measured(found, cores), *_predicted(a_job(found))]))


def _measured(found: Runs, cores: int) -> list[str]:
    rows = {part: {nodes: row(found, part, nodes, cores) for nodes in sorted(found)} for part in COLORS}
    highest = max(max(one.highest, one.predicted) for group in rows.values() for one in group.values())
    parts, x = [line(LEFT, BOTTOM, MIDDLE, BOTTOM)], float(LEFT + GAP)
    for part, group in rows.items():
        parts.append(text(x + STEP * len(group) / 2, BOTTOM + 36, PARTS[part], "middle", bold=True))
        for nodes, one in group.items():
            parts += _bar(
                x, one, (BOTTOM - TOP) / highest, COLORS[part], "server" if nodes == PLAIN else str(nodes)
            )
            x += STEP
        x += GAP
    return parts


def _bar(x: float, one: Row, scale: float, color: str, name: str) -> list[str]:
    top, low, high, expected = (
        BOTTOM - jobs * scale for jobs in (one.median, one.lowest, one.highest, one.predicted)
    )
    middle = x + BAR / 2
    return [
        bar(x, top, BAR, BOTTOM - top, color),
        line(middle, low, middle, high, TEXT, 2),
        line(x - 2, expected, x + BAR + 2, expected, TEXT, 2),
        text(middle, min(high, expected) - 5, f"{one.median / 1000:.0f}k", "middle", size=11),
        text(middle, BOTTOM + 16, name, "middle", size=11),
    ]


def _predicted(cost: Cost) -> list[str]:
    counts = range(1, MOST_NODES + 1)
    highest = bears(cost, 1 / MOST_NODES)
    parts = [line(SECOND, BOTTOM, RIGHT, BOTTOM)]
    parts += [text(_across(nodes), BOTTOM + 16, str(nodes), "middle", size=11) for nodes in (1, 4, 8, 12, 16)]
    parts.append(text((SECOND + RIGHT) / 2, BOTTOM + 36, "nodes", "middle", bold=True))
    parts += _curve(cost, highest, [1 / nodes for nodes in counts], EVEN, "even")
    for queues, color in CURVES.items():
        shares = [fullest_share(queues, nodes) for nodes in counts]
        parts += _curve(cost, highest, shares, color, f"{queues} by chance")
    return parts


def _curve(cost: Cost, highest: float, shares: Sequence[float], color: str, name: str) -> list[str]:
    jobs = [bears(cost, share) for share in shares]
    heights = [BOTTOM - (BOTTOM - TOP) * one / highest for one in jobs]
    points = [(_across(nodes), height) for nodes, height in enumerate(heights, 1)]
    return [curve(points, color), text(RIGHT + 6, heights[-1] + 4, f"{jobs[-1] / 1e6:.1f} {name}", size=11)]


def _across(nodes: int) -> float:
    return SECOND + (RIGHT - SECOND) * (nodes - 1) / (MOST_NODES - 1)
