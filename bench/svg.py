"""Drawings by hand that read on a light page and on a dark one."""

from collections.abc import Iterable

TEXT, LINE = "#76808a", "#76808a55"


def page(width: int, height: int, label: str, parts: Iterable[str]) -> str:
    """The whole file; `label` is what a screen reader says of it."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{label}" font-family="system-ui, sans-serif" font-size="13">\n{body}\n</svg>\n'
    )


def text(x: float, y: float, words: str, anchor: str = "start", *, bold: bool = False, size: int = 13) -> str:
    look = (' font-weight="600"' if bold else "") + (f' font-size="{size}"' if size != 13 else "")
    return f'<text x="{x:.1f}" y="{y:g}" fill="{TEXT}" text-anchor="{anchor}"{look}>{words}</text>'


def bar(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" fill="{color}"/>'


def line(x1: float, y1: float, x2: float, y2: float, color: str = LINE, width: float = 1) -> str:
    thick = f' stroke-width="{width:g}"' if width != 1 else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"{thick}/>'


def curve(points: Iterable[tuple[float, float]], color: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
