"""The picture for the README: how long a sender waits, inline and queued. An SVG by hand, for a light page and a dark one."""

import math
from pathlib import Path
from typing import Any

WIDTH, LEFT, ROW, BAR = 760, 150, 26, 16
PLOT = WIDTH - LEFT - 90
INLINE, QUEUED, TEXT, LINE = "#d9730d", "#1f883d", "#76808a", "#76808a55"
LEAST = 0.001


def draw(results: dict[str, Any], path: Path) -> None:
    """Bars on a logarithmic scale, from 1 ms to 10 s."""
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("work inline", INLINE, results["inline"]),
        ("work queued", QUEUED, results["queued"]),
    ]
    parts, top = [], 64
    for title, color, values in rows:
        parts.append(_text(LEFT - 12, top - 10, title, "end", bold=True))
        parts.append(_text(LEFT, top - 10, _errors(values), "start"))
        for share in (50, 95, 99):
            seconds = float(values[f"p{share}"])
            parts.append(_text(LEFT - 12, top + 13, f"p{share}", "end"))
            parts.append(
                f'<rect x="{LEFT}" y="{top}" width="{_x(seconds):.1f}" height="{BAR}" rx="3" fill="{color}"/>'
            )
            parts.append(_text(LEFT + _x(seconds) + 8, top + 13, _words(seconds), "start", bold=True))
            top += ROW
        top += 34
    grid = [_grid(seconds, top - 40) for seconds in (0.001, 0.01, 0.1, 1.0, 10.0)]
    rate = results["load"]["rate"]
    head = _text(
        16,
        24,
        f"How long the sender of a payment webhook waits: {rate:.0f} a second, 3 x what the inline one bears",
        "start",
        bold=True,
    )
    label = "A bar chart: a webhook's answer with the work inline and with the work queued"
    body = "\n".join([head, *grid, *parts])
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        f'role="img" aria-label="{label}" font-family="system-ui, sans-serif" font-size="13">\n{body}\n</svg>\n'
    )


def _errors(values: dict[str, Any]) -> str:
    share = 100 * values["errors"] / max(values["sent"], 1)
    return "no error" if not values["errors"] else f"{share:.0f} % given up after 10 s"


def _x(seconds: float) -> float:
    return max(PLOT * math.log10(max(seconds, LEAST) / LEAST) / 4, 2)


def _grid(seconds: float, bottom: float) -> str:
    x = LEFT + (_x(seconds) if seconds > LEAST else 0)
    line = f'<line x1="{x:.1f}" y1="40" x2="{x:.1f}" y2="{bottom}" stroke="{LINE}"/>'
    return line + _text(x, bottom + 16, _words(seconds), "middle")


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y}" fill="{TEXT}" text-anchor="{anchor}"{weight}>{text}</text>'


def _words(seconds: float) -> str:
    if seconds < 1:
        return (
            f"{seconds * 1000:.1f} ms" if seconds < 0.01 and seconds != LEAST else f"{seconds * 1000:.0f} ms"
        )
    return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
