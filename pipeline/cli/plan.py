"""`pipeline plan`: what a reload would change, how, and what that does to the jobs that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.app import OK
from pipeline.cli.output import console, print_json
from pipeline.cli.project import as_json, plan_of, takes_file
from pipeline.cli.status import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from pipeline.diff import Change, Class
    from pipeline.status.compare import Comparison, Judged

CHANGES = 3
ORDER: tuple[Class, ...] = ("restart", "rolling", "hot")
STYLES = {"restart": "bold red", "rolling": "yellow", "hot": "green"}
SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "cyan")}


@click.command(short_help="The file against what runs: what a reload would change.")
@takes_file
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes.")
@as_json
@click.pass_context
def plan(ctx: click.Context, file: str | None, config_: str | None, exit_code: bool, as_json: bool) -> None:  # noqa: FBT001
    """Compare the file with what runs, or else with what was applied last. Nothing is changed.

    Each change is hot (running workers take it over between two jobs), rolling (workers are replaced one at a time)
    or needs a restart. Exit code 1 when the file has mistakes.
    """
    from pipeline.status.compare import compare

    found = compare(plan_of(file, config_))
    if found.other is not None:
        click.echo(
            f"{short(found.wanted.file)} is project {found.wanted.name!r}, and what runs here is {found.other!r}: "
            "they share nothing",
            err=True,
        )
    if as_json:
        print_json(told(found))
    else:
        show(found)
    ctx.exit(CHANGES if exit_code and found.changes else OK)


def told(found: Comparison) -> dict[str, Any]:
    """What `plan --json` prints."""
    from pipeline.diff import restart_required
    from pipeline.status.generations import change_json

    return {
        "changes": [
            {**change_json(one.change), "waiting": one.waiting, "effect": one.effect} for one in found.changes
        ],
        "restart_required": restart_required(tuple(one.change for one in found.changes)),
        "generation": found.generation,
        "running": found.live,
    }


# --- for people -------------------------------------------------------------------------------------------


def show(found: Comparison) -> None:
    """Print a line for each change, those that need most first, and what to do."""
    out = console()
    out.print(_title(found), style="dim", soft_wrap=True)
    if found.changes:
        ordered = sorted(found.changes, key=lambda one: ORDER.index(one.change.change_class))
        out.print()
        for line in lines(ordered, out.width):
            out.print(line, soft_wrap=True)
        out.print()
    out.print("\n".join(_summary(found)), soft_wrap=True)


def lines(changes: Sequence[Judged], width: int) -> Iterator[Text]:
    """The changes in columns. An effect that finds no room in its line has the next one."""
    from rich.text import Text

    rows = [(one.change.path, values(one.change), one) for one in changes]
    paths, told = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
    for path, value, one in rows:
        sign = SIGNS[one.change.kind]
        klass = one.change.change_class
        line = Text.assemble(sign, f" {path:<{paths}}  {value:<{told}}  ", (klass, STYLES[klass]))
        if one.effect and len(line) + 9 + len(one.effect) <= width:
            line.append(f"{'':<{9 - len(klass)}}{one.effect}")
        elif one.effect:
            line.append(f"\n    {one.effect}", "dim")
        line.rstrip()
        yield line


def values(change: Change) -> str:
    """What was and what comes, or the one of them that there is."""
    from pipeline.diff import shown
    from pipeline.status.text import clean

    if change.kind == "changed":
        return clean(f"{shown(change.from_)} -> {shown(change.to)}")
    one = change.to if change.kind == "added" else change.from_
    return "" if one is None else clean(shown(one))


def _title(found: Comparison) -> str:
    file = short(found.wanted.file)
    if found.running is None:
        return f"{file}: nothing runs, everything would be new"
    number = f"generation {found.generation}" if found.generation else "the plan"
    if found.live:
        return f"{file} against {number} that runs {'here' if found.here else 'on another host'}"
    return f"{file} against {number} that was applied last; nothing runs"


def _summary(found: Comparison) -> Iterator[str]:
    from pipeline.diff import rolling_pools

    if not found.changes:
        yield "no changes"
        return
    counts = Counter(one.change.change_class for one in found.changes)
    parts = [f"{counts[name]} {name}" for name in reversed(ORDER) if counts[name]]
    total = f"{len(found.changes)} change{'s' * (len(found.changes) != 1)}: {', '.join(parts)}"
    if counts["restart"]:
        yield f"{total}; restart required: a reload is refused as a whole"
    elif not found.live:
        yield f"{total}; `pipeline run {short(found.wanted.file)}` applies them"
    else:
        yield f"{total}; {_way(found)}"
    if found.running is None or not found.live or counts["restart"]:
        return
    changes = [one.change for one in found.changes]
    if pools := rolling_pools(changes, found.running, found.wanted):
        yield f"workers are replaced one at a time in {', '.join(sorted(pools))}"


def _way(found: Comparison) -> str:
    """How the changes come into force where it runs."""
    running = found.running
    if not found.here or running is None:
        return "`pipeline reload` over there applies them"
    if running.file != found.wanted.file:
        return f"what runs here reads {short(running.file)}, not this file"
    return "`pipeline reload` applies them"
