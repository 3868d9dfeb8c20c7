"""What a bar's program found: a row for each figure, printed as a table and kept as JSON."""

from __future__ import annotations

import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from faults import case

JUDGED = ("lost", "unexpected")


@dataclass(frozen=True)
class Given:
    """What the command line said. `rounds`, `minutes`, `every` (s) have a default in each program."""

    seed: int
    folder: Path
    rounds: int | None = None
    minutes: float | None = None
    every: float | None = None
    samples: Path | None = None


@dataclass(frozen=True)
class Row:
    """A figure, and the bar that it must meet; a row without a bar only tells."""

    title: str
    value: str
    bar: str = ""
    met: bool = True


@dataclass
class Verdict:
    """The rows of one program."""

    rows: list[Row] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def tell(self, title: str, value: object) -> None:
        """A row without a bar."""
        self.rows.append(Row(title, str(value)))

    def at_most(self, title: str, value: float, limit: float, unit: str = "") -> None:
        """A row whose value must not be above its limit."""
        bar = "0" if limit == 0 else f"<= {_number(limit)}{unit}"
        self.rows.append(Row(title, f"{_number(value)}{unit}", bar, value <= limit))

    def at_least(self, title: str, value: float, limit: float, unit: str = "") -> None:
        """A row whose value must not be below its limit."""
        self.rows.append(Row(title, f"{_number(value)}{unit}", f">= {_number(limit)}{unit}", value >= limit))

    def take(self, row: case.Row) -> None:
        """The rows of a case that was conducted: the seven counts, and what else was wrong."""
        for name, value in msgspec.structs.asdict(row.counts).items():
            self.at_most(name, value, 0) if name in JUDGED else self.tell(name, f"{value:,}")
        self.tell("runs beyond the first", row.extra)
        self.at_most("violations", len(row.violations), 0)
        self.violations += row.violations
        self.figures |= {"bites": row.bites, "server": row.server}

    def spread(self, name: str, seconds: Sequence[float]) -> None:
        """Keep all values of a figure, in ms."""
        self.figures[name] = [round(value * 1000, 2) for value in seconds]

    @property
    def met(self) -> bool:
        return all(row.met for row in self.rows)

    def table(self) -> str:
        """The rows in columns."""
        marks = [("ok" if row.met else "MISSED") if row.bar else "" for row in self.rows]
        cells = [
            ("figure", "value", "bar", ""),
            *((r.title, r.value, r.bar, m) for r, m in zip(self.rows, marks, strict=True)),
        ]
        widths = [max(len(row[n]) for row in cells) for n in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join([*lines, *self.violations])

    def save(self, path: Path, name: str, given: Given) -> None:
        """Write all of it as JSON."""
        content = {
            "name": name,
            "met": self.met,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "given": {key: value for key, value in asdict(given).items() if key not in ("folder", "samples")},
            "rows": [asdict(row) for row in self.rows],
            "violations": self.violations,
            "figures": self.figures,
        }
        path.write_text(json.dumps(content, indent=2) + "\n")


def _number(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies, with 1 the highest; infinite when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else math.inf


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    """The median slope of all pairs of points: what outliers cannot move."""
    slopes = [
        (y2 - y1) / (x2 - x1) for n, (x1, y1) in enumerate(points) for x2, y2 in points[n + 1 :] if x2 > x1
    ]
    return statistics.median(slopes) if slopes else 0.0


def say(text: str) -> None:
    """A line of progress, with the time."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()
