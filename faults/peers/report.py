"""The report: a table a fault, the lines of all runs put together; then what was set, and how it was done."""

import json
import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from faults.peers.subject import Subject
from faults.peers.subjects import SUBJECTS

Line = dict[str, Any]
Column = tuple[str, str]
"""A title, and the name of a value in a line of the results."""
SEVEN = ("attempted", "acknowledged", "ok", "lost", "unexpected", "duplicated", "recovered")
COUNTS: tuple[Column, ...] = (*((name, name) for name in SEVEN), ("of the lost, in the broker", "kept"))
EXTRA: Column = ("extra runs", "extra")
KILLED: tuple[Column, ...] = (
    ("killed jobs", "killed"),
    EXTRA,
    ("a killed job runs again, s", "rerun"),
    ("all done after, s", "done"),
)
RESTARTS: Column = ("restarts by us", "restarts")
TOLD: tuple[Column, ...] = (("errors shown", "errors"), ("calls without end", "hung"))
COLUMNS: dict[str, tuple[Column, ...]] = {
    "F1": (*COUNTS, *KILLED, RESTARTS),
    "F3": (*COUNTS, *KILLED),
    "F3-idle": (*COUNTS, *KILLED),
    "F9": (*COUNTS, ("replies lost", "replies_lost"), *TOLD),
    "F14": (*COUNTS, EXTRA, ("consumes again, s", "consumed_again"), RESTARTS, *TOLD),
    "F0": (*COUNTS, EXTRA),
}
TITLES = {
    "F1": "F1: the processes that run jobs are killed, five times",
    "F3": "F3: a host dies in the middle, another starts",
    "F3-idle": "F3, idle: a host dies with the last jobs, another starts, nothing else is enqueued",
    "F9": "F9: the reply to an enqueue is lost",
    "F14": "F14: the broker is killed and started again, under load",
    "F0": "No fault: what the settings cost",
}
TEXTS = {
    "F1": """\
120 jobs of 0.5 s, four at once. Five times, 1.2 to 2.2 s apart, kill -9 hits every process that runs a job. What ends
with it is started again after a second where the queue does not do that itself. "All done" counts from the last kill,
when about 8 s of work are left; "runs again" holds the time behind other jobs where a killed job goes to the end of
its queue.""",
    "F3": """\
120 jobs of 0.5 s; after 20 of them kill -9 hits all processes of the host, the supervisor too, and only then workers
start on a host of another name. Ours counts a lease from there: who has just connected cannot know whether the broker
stood still before. One that runs already takes over when the lease ends.""",
    "F3-idle": """\
Four jobs of 3 s run when the host dies. Nothing else is in the queue, and nothing comes.""",
    "F9": """\
500 enqueues, one after another, by the queue's own client with its default retries; the workers run. A proxy before
the broker carries out every tenth command that writes a job (EVAL, EVALSHA, FCALL, LPUSH, RPUSH, XADD, ZADD, EXEC),
loses the reply and cuts the connection. "Duplicated" jobs ran twice for one call. "Recovered" ones ran although the
call raised: an application that tries again has them twice, one that does not must not count them as lost.""",
    "F14": """\
A producer enqueues 25 jobs a second for 24 s, jobs run 50 ms. After 6 s the broker (append-only file, flushed every
second) is killed with kill -9, and started again 2 s later. "Consumes again" counts from its first answer; a dash:
not within 30 s, and all workers were then started anew. "Restarts" are of workers that ended by themselves. The errors
are calls during the outage, which the application has to repeat.""",
    "F0": """\
Four jobs of 12 s, under the settings of all the rows above, and nothing happens to them. Where a time limit of jobs is
what finds dead workers, a short one ends (lost) or repeats (extra) long jobs: these settings are for short jobs only.""",
}


def render(results: Path) -> str:
    """The report of a file of results, in Markdown; the newest line of a round counts."""
    newest = {}
    for text in results.read_text().splitlines():
        line = json.loads(text)
        newest[line["peer"], line["fault"], line["run"]] = line
    lines = list(newest.values())
    parts = [_head(lines), *(_fault(lines, fault) for fault in COLUMNS), _settings(lines)]
    return "\n\n".join(parts) + "\n"


def _head(lines: list[Line]) -> str:
    loads = [line["load1"] for line in lines]
    servers = ", ".join(sorted({line["server"] for line in lines}))
    return f"""\
# The same faults, other queues

`python -m faults.peers` puts ours and others through the same faults, each with the settings that it documents against
the loss of jobs (below). Medians of {max(line["run"] for line in lines)} runs, the least and the most in brackets; every round is a line of
[results.jsonl](../faults/peers/results.jsonl).

{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, {servers}; three rounds at a time, beside other work
(load average {min(loads)} to {max(loads)}).

The seven counts are those of Jepsen's total-queue checker; a job counts as dequeued when its handler came to its end.
**Lost**: acknowledged, and not done 120 s after the last kill (F0, F14: 60 s, F9: 30 s); where some of it is still in the
broker, a longer wait or a person may bring it back. **Duplicated**: ran to the end more than once. **Recovered**: not
acknowledged, and done. **Extra runs** began beyond the first of their job; as many as killed jobs is the least that
running at least once can cost. A dash: it did not happen. Processes that a queue does not start again itself we start
again after a second, as an init system does ("restarts by us")."""


def _fault(lines: list[Line], fault: str) -> str:
    rows = []
    for name, subject in SUBJECTS.items():
        if of := [line for line in lines if (line["peer"], line["fault"]) == (name, fault)]:
            rows.append([_name(subject), *(_cell([line[key] for line in of]) for _, key in COLUMNS[fault])])
    table = _table(["", *(title for title, _ in COLUMNS[fault])], rows)
    return f"## {TITLES[fault]}\n\n{TEXTS[fault]}\n\n{table}"


def _name(subject: Subject) -> str:
    return f"**{subject.name}**" if subject.name.startswith("ours") else subject.name


def _cell(given: list[object]) -> str:
    """The median, and the least and the most where they differ; a dash for what did not happen."""
    numbers = sorted(value for value in given if isinstance(value, int | float))
    if not numbers:
        return "-"
    middle, least, most = (_number(value) for value in (statistics.median(numbers), numbers[0], numbers[-1]))
    text = middle if least == most else f"{middle} ({least}-{most})"
    missing = len(given) - len(numbers)
    return f"{text}; - in {missing} of {len(given)}" if missing else text


def _number(value: float) -> str:
    return (
        f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}" if value >= 1 else f"{value:,.2f}"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def _settings(lines: list[Line]) -> str:
    versions = defaultdict(str, {line["peer"]: line["version"] for line in lines})
    parts = ["## What was set, and what is promised", ""]
    for name, subject in SUBJECTS.items():
        parts += [
            f"**{name}** {versions[name]} ({subject.package}). {subject.promise} Who starts another process: {subject.restarts}."
        ]
        parts += [f"- `{setting.name}`: {setting.why}" for setting in subject.settings]
        parts += [""]
    return "\n".join(parts).rstrip()
