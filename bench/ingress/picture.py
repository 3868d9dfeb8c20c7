"""The picture for the README: how long a sender waits, inline and queued. An SVG by hand, for a light page and a dark one."""

import math
from pathlib import Path
from typing import Any

from bench.svg import bar, line, page, text

WIDTH, LEFT, ROW, BAR = 760, 150, 26, 16
PLOT = WIDTH - LEFT - 90
INLINE, QUEUED = "#d9730d", "#1f883d"
LEAST = 0.001


def draw(results: dict[str, Any], path: Path) -> None:
    """Bars on a logarithmic scale, from 1 ms to 10 s."""
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("work inline", INLINE, results["inline"]),
        ("work queued", QUEUED, results["queued"]),
    ]
    parts, top = [], 64
    for title, color, values in rows:
        parts.append(text(LEFT - 12, top - 10, title, "end", bold=True))
        parts.append(text(LEFT, top - 10, _errors(values), "start"))
        for share in (50, 95, 99):
            seconds = float(values[f"p{share}"])
            parts.append(text(LEFT - 12, top + 13, f"p{share}", "end"))
            parts.append(bar(LEFT, top, _x(seconds), BAR, color))
            parts.append(text(LEFT + _x(seconds) + 8, top + 13, _words(seconds), "start", bold=True))
            top += ROW
        top += 34
    grid = [_grid(seconds, top - 40) for seconds in (0.001, 0.01, 0.1, 1.0, 10.0)]
    rate = results["load"]["rate"]
    head = text(
        16,
        24,
        f"How long the sender of a payment webhook waits: {rate:.0f} a second, 3 x what the inline one bears",
        "start",
        bold=True,
    )
    label = "A bar chart: a webhook's answer with the work inline and with the work queued"
    path.write_text(page(WIDTH, top, label, [head, *grid, *parts]))


def _errors(values: dict[str, Any]) -> str:
    share = 100 * values["errors"] / max(values["sent"], 1)
    return "no error" if not values["errors"] else f"{share:.0f} % given up after 10 s"


def _x(seconds: float) -> float:
    return max(PLOT * math.log10(max(seconds, LEAST) / LEAST) / 4, 2)


def _grid(seconds: float, bottom: float) -> str:
    x = LEFT + (_x(seconds) if seconds > LEAST else 0)
    return line(x, 40, x, bottom) + text(x, bottom + 16, _words(seconds), "middle")


def _words(seconds: float) -> str:
    if seconds < 1:
        return (
            f"{seconds * 1000:.1f} ms" if seconds < 0.01 and seconds != LEAST else f"{seconds * 1000:.0f} ms"
        )
    return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
