"""Values -> the report in Markdown: the bars first, then every peer, then what to know about the run."""

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.bars import BARS, BEST, Bar
from bench.peers import OURS, PEERS, RIVALS

Line = dict[str, Any]
YES, NO, NONE = "yes", "**no**", "-"

# title, measure, higher is better, digits
SPEED = [
    ("enqueue one/s", "enqueue_single", True, 0),
    ("enqueue bulk/s", "enqueue_bulk", True, 0),
    ("drain 1p low/s", "drain_low", True, 0),
    ("drain 1p high/s", "drain_high", True, 0),
    ("drain 2p/s", "drain_2p", True, 0),
    ("sleep 10 ms x 50/s", "sleep_10ms", True, 0),
]
COST = [
    ("latency p50 ms", "latency_p50", False, 2),
    ("p99 ms", "latency_p99", False, 2),
    ("waiting B/job, Redis", "waiting_redis", False, 0),
    ("Valkey", "waiting_valkey", False, 0),
    ("retained B/job", "retained", False, 0),
    ("idle MB", "idle_memory", False, 0),
    ("cold start s", "cold_start", False, 2),
]
CPU = [("1p low", "cpu_drain_low"), ("1p high", "cpu_drain_high"), ("2p", "cpu_drain_2p")]
WIRE = [("server reads", "server_reads"), ("commands", "commands"), ("bytes in + out", "net_bytes")]


@dataclass(frozen=True)
class Values:
    """The values of all runs, by peer and measure."""

    lines: Sequence[Line]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], list[Line]]:
        found: dict[tuple[str, str], list[Line]] = defaultdict(list)
        for line in self.lines:
            found[line["peer"], line["measure"]].append(line)
        return found

    def of(self, peer: str, measure: str) -> list[Line]:
        return self._by_key.get((peer, measure), [])

    def median(self, peer: str, measure: str, part: str = "value") -> float | None:
        got = [line[part] for line in self.of(peer, measure)]
        return statistics.median(got) if got else None

    def spread(self, peer: str, measure: str, digits: int) -> str:
        """The median, and in brackets the lowest and the highest run."""
        got = [line["value"] for line in self.of(peer, measure)]
        if not got:
            return "-"
        middle = f"{statistics.median(got):,.{digits}f}"
        return middle if len(got) == 1 else f"{middle} ({min(got):,.{digits}f}-{max(got):,.{digits}f})"

    def peers(self) -> list[str]:
        """Those that were measured, the fastest drain first."""
        names = {line["peer"] for line in self.lines} & {*PEERS}
        return sorted(names, key=lambda name: -(self.median(name, "drain_low") or 0))

    def best(self, measure: str, higher: bool) -> tuple[str, str] | None:
        """The rival that did best, and the measure."""
        got = [(value, name) for name in RIVALS if (value := self.median(name, measure)) is not None]
        return ((max if higher else min)(got)[1], measure) if got else None


def write(lines: Iterable[Line], path: Path) -> None:
    """Writes the report to `path`, and prints its bars and how many of them are met."""
    values = Values(list(lines))
    bars = _bars(values)
    path.write_text("\n".join(["# Results", "", *_head(values), *bars, *_tables(values), *_notes(values)]))
    print("\n".join(bars), f"report: {path}", _score(values), sep="\n")


def _head(values: Values) -> list[str]:
    loads = [line["load1"] for line in values.lines]
    runs = max(line["run"] for line in values.lines)
    text = (
        f"Medians of {runs} interleaved run{'s' * (runs > 1)}, the lowest and the highest in brackets. "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}; "
        f"load average while measuring {min(loads)} to {max(loads)}. What each value means: README.md."
    )
    return [text, ""]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *["--:"] * (len(header) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)] + [""]


def _bars(values: Values) -> list[str]:
    header = ["measure", "ours", "ours+", "beside", "its value", "ratio", "bar", "met"]
    rows = [_bar(values, bar) for bar in BARS]
    return [
        "## The bars",
        "",
        "ours+ has a payload schema and deduplication on; the bars are for ours.",
        "",
        *_table(header, rows),
    ]


def _score(values: Values) -> str:
    answers = [_bar(values, bar)[-1] for bar in BARS]
    return f"{answers.count(YES)} bars met, {answers.count(NO)} not, {answers.count(NONE)} without a value"


def _bar(values: Values, bar: Bar) -> list[str]:
    ours = values.median(bar.ours, bar.measure)
    plus = values.spread("ours+", bar.measure, bar.digits) if bar.ours == "ours" else "-"
    beside = values.best(bar.measure, bar.higher_is_better) if bar.beside == BEST else bar.beside or None
    other = values.median(*beside) if isinstance(beside, tuple) else None
    sign = "at least" if bar.least else "at most"
    cells = [f"{bar.title}, {bar.unit}", values.spread(bar.ours, bar.measure, bar.digits), plus]
    if not bar.beside:
        met = NONE if ours is None else _met(bar, ours)
        return [*cells, "", "", "", f"{sign} {bar.limit:g} {bar.unit}", met]
    limit = f"{sign} {bar.limit:g} x"
    if ours is None or not other or not isinstance(beside, tuple):
        return [*cells, NONE, NONE, NONE, limit, NONE]
    return [
        *cells,
        beside[0],
        values.spread(*beside, bar.digits),
        f"{ours / other:.2f}",
        limit,
        _met(bar, ours / other),
    ]


def _met(bar: Bar, value: float) -> str:
    return YES if bar.met(value) else NO


def _tables(values: Values) -> list[str]:
    peers = values.peers()
    out = [
        "## Every peer",
        "",
        "1p, 2p: worker processes. The jobs at once of low and high are under Settings.",
        "",
    ]
    for columns in (SPEED, COST):
        rows = [[name, *(values.spread(name, m, digits) for _, m, _, digits in columns)] for name in peers]
        out += _table(["peer", *(title for title, *_ in columns)], rows)
    out += ["## CPU of a drain: worker + server (supervisor apart), s per 1,000 jobs", ""]
    out += _table(
        ["peer", *(title for title, _ in CPU)],
        [[name, *(_cpu(values, name, m) for _, m in CPU)] for name in peers],
    )
    wired = [name for name in peers if values.of(name, "commands")]
    if wired:
        out += ["## On the wire, a no-op job at 1p low", ""]
        rows = [[name, *(values.spread(name, m, 2) for _, m in WIRE), _top(values, name)] for name in wired]
        out += _table(["peer", *(title for title, _ in WIRE), "calls"], rows)
    return out


def _cpu(values: Values, peer: str, measure: str) -> str:
    worker, server, apart = (
        values.median(peer, measure, part) for part in ("worker", "server", "supervisor")
    )
    if worker is None or server is None:
        return "-"
    return f"{worker:.4f} + {server:.4f}" + (f" ({apart:.4f})" if apart and peer in OURS else "")


def _top(values: Values, peer: str) -> str:
    return ", ".join(f"{name} {n:g}" for name, n in list(values.of(peer, "commands")[-1]["top"].items())[:9])


def _notes(values: Values) -> list[str]:
    out = ["## Settings", "", *_table(["peer", "version", "drains", "worker"], _settings(values))]
    odd = [
        line
        for line in values.lines
        if line.get("complete") is False or line["measure"] in ("duplicates", "failed")
    ]
    out += ["## Jobs not run or run twice, and measures that failed", ""]
    out += [f"- {_odd(line)}" for line in odd] or ["None: every drain ran exactly its jobs."]
    return [*out, ""]


def _settings(values: Values) -> Iterable[list[str]]:
    for name in values.peers():
        drains = [values.of(name, f"drain_{load}") for load in ("low", "high", "2p")]
        shapes = [lines[0]["config"].split("; ")[0] for lines in drains if lines]
        version = next(line["version"] for line in values.lines if line["peer"] == name)
        yield [name, version, "; ".join(shapes), PEERS[name].note]


def _odd(line: Line) -> str:
    what = f"{line['executed']} ran" if "executed" in line else f"{line['value']:g} {line['unit']}"
    return f"{line['peer']} {line['measure']}, run {line['run']}: {what}; {line['config']}"
