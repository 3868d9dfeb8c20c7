"""`pipeline doctor`: whether the broker can be trusted with jobs, and what to do when it cannot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from pipeline.cli.app import OK, REFUSED
from pipeline.cli.output import console, print_json
from pipeline.cli.project import as_json, at_work, takes_file

if TYPE_CHECKING:
    from rich.text import Text

    from pipeline.doctor.check import Check
    from pipeline.doctor.examine import Diagnosis

STYLES = {"ok": "green", "WEAK": "bold yellow", "UNVERIFIED": "cyan", "FAILED": "bold red"}
WIDEST = 90


@click.command(short_help="Look at the broker: can it lose jobs, is there room?")
@takes_file
@as_json
@click.pass_context
def doctor(ctx: click.Context, file: str | None, config_: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Look at the broker of a project, and at the room that it and this host have.

    A check is ok, WEAK (it works, and can lose jobs or stand still), FAILED, or UNVERIFIED: the broker does not
    show it. An embedded broker that does not run is started meanwhile. Exit code 1 when a check is WEAK or FAILED.
    """
    from pipeline.doctor.examine import examine
    from pipeline.supervisor.embedded import open_broker

    plan, _ = at_work(file, config_)
    with open_broker(plan, start=True) as url:
        found = asyncio.run(examine(plan, url))
    if as_json:
        print_json({"ok": found.ok, "loss": found.loss, "checks": [as_data(check) for check in found.checks]})
    else:
        show(found)
    ctx.exit(OK if found.ok else REFUSED)


def as_data(check: Check) -> dict[str, str | None]:
    """A check for programs."""
    return {
        "name": check.name,
        "verdict": check.verdict,
        "found": check.found,
        "meaning": check.meaning or None,
        "help": check.help or None,
    }


def show(found: Diagnosis) -> None:
    """A row a check: what was found; of those that are not ok, what it means and what to do."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=WIDEST)
    for check in found.checks:
        table.add_row(check.name, Text(check.verdict, STYLES[check.verdict]), words(check))
    table.add_row()
    table.add_row("loss", "", Text(found.loss))
    console().print(table)


def words(check: Check) -> Text:
    """A check in words, as plain text: a server's version or name cannot steer the terminal."""
    from rich.text import Text

    from pipeline.status.text import clean

    told = Text(clean(check.sentence))
    return told.append(f"\n{clean(check.help)}", "dim") if check.help else told
