"""`pipeline history`: the generations that were applied, by whom, and what each one changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.output import console, print_json
from pipeline.cli.project import as_json, at_work, connected, takes_config

if TYPE_CHECKING:
    from pipeline.diff import Change
    from pipeline.store.history import Applied

SHOWN = 2


@click.command(short_help="The generations that were applied: who, when, and what changed.")
@click.argument("generation", type=int, required=False)
@click.option("--diff", "between", type=int, nargs=2, metavar="A B", help="What changed from A to B.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many, the newest."
)
@as_json
@takes_config
def history(
    generation: int | None,
    between: tuple[int, int] | None,
    limit: int,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """The generations that were applied, the newest first; with GENERATION one of them, with all that it changed.

    The broker keeps the last 20. `pipeline rollback GENERATION` goes back to one.
    """
    if generation is not None and between is not None:
        raise click.UsageError("give GENERATION or --diff A B, not both")
    from pipeline.diff import diff
    from pipeline.status.generations import one_of

    kept, running = read(config_)
    if between is not None:
        old, new = (one_of(kept, number) for number in between)
        show_changes(diff(old.plan, new.plan), as_json=as_json)
    elif generation is not None:
        show_one(one_of(kept, generation), kept, running, as_json=as_json)
    else:
        show_all(list(kept.values())[:limit], kept, running, as_json=as_json)


def read(config: str | None) -> tuple[dict[int, Applied], set[int]]:
    """The generations that are kept, the newest first, and the numbers of those that run. Raises BrokerUnavailable."""
    from pipeline.status.compare import live_supervisors
    from pipeline.store import history
    from pipeline.store.call import run_blocking

    plan, _ = at_work(None, config)
    with connected(plan) as connection:
        kept = run_blocking(connection, history.read(plan.name))
        live = live_supervisors(connection, plan.name)
    return {one.generation: one for one in kept}, {one.generation for one in live}


def origin_of(one: Applied) -> str:
    """Why a generation was applied."""
    return f"{one.origin} to {one.to}" if one.to is not None else one.origin


def told(one: Applied, kept: dict[int, Applied], running: set[int]) -> dict[str, Any]:
    """A generation for programs."""
    from pipeline.status.generations import change_json, changes_of

    changes = changes_of(one, kept)
    return {
        "generation": one.generation,
        "hash": one.hash,
        "applied_at": one.at,
        "by": one.by,
        "file": one.file,
        "origin": one.origin,
        "rolled_back_to": one.to,
        "changes": None if changes is None else [change_json(change) for change in changes],
        "running": one.generation in running,
    }


def show_changes(changes: Sequence[Change], *, as_json: bool) -> None:
    """All changes, a line each."""
    from pipeline.cli.plan import lines
    from pipeline.status.compare import Judged
    from pipeline.status.generations import change_json

    if as_json:
        print_json({"changes": [change_json(change) for change in changes]})
        return
    out = console()
    for line in lines([Judged(change) for change in changes], out.width) if changes else ["no changes"]:
        out.print(line, soft_wrap=True)


def show_one(one: Applied, kept: dict[int, Applied], running: set[int], *, as_json: bool) -> None:
    """A generation with all that it changed."""
    from pipeline.cli.draw import when
    from pipeline.cli.output import harmless
    from pipeline.cli.status import short
    from pipeline.status.generations import changes_of

    if as_json:
        print_json(told(one, kept, running))
        return
    runs = ", runs now" if one.generation in running else ""
    click.echo(harmless(f"generation {one.generation}{runs}: {origin_of(one)} by {one.by} at {when(one.at)}"))
    click.echo(harmless(f"{short(one.file)}, content {one.hash}\n"))
    changes = changes_of(one, kept)
    if changes is None:
        click.echo(f"generation {one.generation - 1} is not kept any more: what changed cannot be told")
    else:
        show_changes(changes, as_json=False)


def show_all(some: list[Applied], kept: dict[int, Applied], running: set[int], *, as_json: bool) -> None:
    """A line a generation; those that run are marked."""
    from rich.table import Table
    from rich.text import Text

    from pipeline.cli.draw import when
    from pipeline.status.generations import changes_of
    from pipeline.status.text import clean

    if as_json:
        print_json([told(one, kept, running) for one in some])
        return
    if not some:
        click.echo("no generation was applied yet: `pipeline run` applies the first")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("generation", "applied", "origin", "by"):
        table.add_column(name, no_wrap=True)
    table.add_column("changes", overflow="fold")
    for one in some:
        runs = one.generation in running
        number = Text(f"{one.generation}{' runs' * runs}", "green" if runs else "")
        told_of = Text(clean(brief(changes_of(one, kept))))
        table.add_row(number, when(one.at), origin_of(one), Text(clean(one.by)), told_of)
    console().print(table)


def brief(changes: tuple[Change, ...] | None) -> str:
    """How many changes, and the first of them."""
    from pipeline.cli.plan import SIGNS, values

    if not changes:
        return "?" if changes is None else "none"
    first = [
        f"{SIGNS[one.kind][0] if one.kind != 'changed' else ''}{one.path} {values(one)}".strip()
        for one in changes[:SHOWN]
    ]
    more = len(changes) - len(first)
    return f"{len(changes)}: {', '.join(first)}" + (f", and {more} more" if more else "")
