"""Rows as a person reads them: a line each while they come, and a document."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pipeline
from faults.case import Row
from faults.checker import Counts

COUNTS = Counts.__struct_fields__
HEAD = "case: " + " ".join(COUNTS) + " + extra runs"


@dataclass
class Run:
    """A call of the suite."""

    seed: int
    long: bool
    arguments: list[str]
    rows: list[Row] = field(default_factory=list)


def line(row: Row) -> str:
    """A case in one line, and what it broke below."""
    counts = " ".join(str(getattr(row.counts, name)) for name in COUNTS)
    figures = "; ".join(f"{name} {value}" for name, value in row.figures.items())
    head = (
        f"{row.case:<4}{'ok  ' if row.passed else 'FAIL'} {row.title}: {counts} + {row.extra} | {_bites(row)}"
    )
    parts = [f"{head} | {figures} | {row.seconds:.1f} s", *(f"     ! {text}" for text in row.violations)]
    if row.folder:
        parts.append(f"     what it left behind: {row.folder}")
    return "\n".join(parts)


def summary(rows: Sequence[Row]) -> str:
    """The last line."""
    failed = [row.case for row in rows if not row.passed]
    total = [
        sum(getattr(row.counts, name) for row in rows) for name in ("acknowledged", "lost", "unexpected")
    ]
    words = f"{total[0]:,} jobs acknowledged, {total[1]} lost, {total[2]} unexpected"
    return f"{len(rows) - len(failed)} of {len(rows)} faults survived; {words}" + (
        f"; FAILED: {' '.join(failed)}" if failed else ""
    )


def document(run: Run) -> str:
    """The report, in Markdown."""
    rows = sorted(run.rows, key=lambda row: int(row.case[1:]))
    columns = ["case", "fault", *COUNTS, "extra runs", "it bit", "figures", "result"]
    table = [_row(columns), _row(["---"] * len(columns)), *map(_cells, rows)]
    broken = [f"- {row.case}: {text}" for row in rows for text in row.violations]
    return "\n".join([*_preface(run), "", *table, "", f"**{summary(rows)}.**", "", *broken, ""])


def _preface(run: Run) -> list[str]:
    servers = sorted({row.server for row in run.rows if row.server})
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
    today, python = time.strftime("%Y-%m-%d", time.gmtime()), platform.python_version()
    return [
        "# Faults",
        "",
        f"`python -m faults {' '.join(run.arguments)}`, seed {run.seed}, {'long' if run.long else 'short'} form.",
        f"{today}: pipeline {pipeline.__version__}, Python {python}, {', '.join(servers)}; {machine}.",
        "",
        "The counts are those of Jepsen's total-queue: a number that was acknowledged and never dequeued is lost, one",
        "that was dequeued and never attempted is unexpected. Every extra run is explained by a process that died or",
        "lost its lease with the run before it; completions of a job beyond the first are violations.",
    ]


def _cells(row: Row) -> str:
    counts = [f"{getattr(row.counts, name):,}" for name in COUNTS]
    figures = "; ".join(f"{name}: {value}" for name, value in row.figures.items())
    result = "passed" if row.passed else "**failed**"
    return _row(
        [row.case, f"{row.title}: {row.injects}", *counts, f"{row.extra}", _bites(row), figures, result]
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _bites(row: Row) -> str:
    return ", ".join(f"{name} {times}" for name, times in row.bites.items())
