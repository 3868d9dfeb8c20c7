"""`pipeline dead groups`, and a redrive that looks at what becomes of the jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.app import REFUSED
from pipeline.cli.draw import when
from pipeline.cli.output import console, print_json, progress
from pipeline.cli.project import as_json, operator, takes_config, takes_queue
from pipeline.cli.types import duration, rate, share

if TYPE_CHECKING:
    from pipeline.store.careful import Report
    from pipeline.store.groups import Group
    from pipeline.store.operator import Operator
    from pipeline.store.reader import JobView

Command = TypeVar("Command", bound=Callable[..., Any])
STOP_AT = 0.2


def takes_group(command: Command) -> Command:
    """Adds `--group`."""
    return click.option(
        "--group", metavar="ID", help="Only those of this group; see `pipeline dead groups`."
    )(command)


def takes_care(command: Command) -> Command:
    """Adds `--rate`, `--probe`, `--stop-at` and `--patience`."""
    for option in (
        click.option("--patience", type=duration, default="10m", show_default=True,
                     help="How long the first ones may take to end."),
        click.option("--stop-at", type=share, metavar="SHARE",
                     help="Send no more when more than this died again; 20% with --probe."),
        click.option("--probe", type=click.IntRange(min=1), metavar="N",
                     help="Send N first, wait until they have ended, then the rest."),
        click.option("--rate", type=rate, metavar="N/s", help="So many a second: 50/s, 10/m."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@takes_queue
@as_json
@takes_config
def groups(queue: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """The dead jobs of QUEUE by what they died of: exception, place in the code, message."""
    from pipeline.store.groups import Dead, grouped

    with operator(config_, queue) as hands:
        jobs = hands.jobs(("dead",))
        dead = (Dead(job.id, job.finished_at or 0, *_said(job)) for job in jobs)
        found = grouped(dead)
    if as_json:
        print_json(found)
    elif not found:
        click.echo(f"no dead job in {queue}")
    else:
        _print_groups(queue, found)


def _said(job: JobView) -> tuple[str, str, str]:
    error = job.error
    return ("", "", "") if error is None else (error.type, error.message, error.traceback or "")


def _print_groups(queue: str, found: list[Group]) -> None:
    from rich.table import Table
    from rich.text import Text

    from pipeline.status.text import clean

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("group", no_wrap=True)
    table.add_column("jobs", no_wrap=True, justify="right")
    for name in ("first", "last", "sample"):
        table.add_column(name, no_wrap=True)
    table.add_column("error", no_wrap=True, overflow="ellipsis")
    for group in found:
        said = f"{group.type}: {group.message}" + (f"  ({group.where})" if group.where else "")
        row = (group.id, f"{group.count:,}", when(group.first_at), when(group.last_at), group.sample)
        table.add_row(*row, Text(clean(said)))
    console().print(table)
    click.echo(f"\none: pipeline dead show {queue} {found[0].sample}", err=True)
    click.echo(f"again: pipeline dead redrive {queue} --group {found[0].id} --probe 5", err=True)


def redrive_with_care(
    hands: Operator,
    found: list[JobView],
    rate: float | None,
    probe: int | None,
    stop_at: float | None,
    patience: int,
    *,
    as_json: bool,
) -> None:
    """Redrive in steps, and tell what came of it. Ends with 1 when it stopped, or when a job stays dead."""
    from pipeline.store.careful import Care, Careful

    limit = STOP_AT if stop_at is None and probe else stop_at
    with progress("redrive", len(found)) as advance:
        report = Careful(hands, Care(probe or 0, limit, rate, patience), advance).run(found)
    if as_json:
        print_json({"queue": hands.queue, **_told(report)})
    else:
        _print_report(hands.queue, report)
    if report.kept or report.stopped:
        click.get_current_context().exit(REFUSED)


def _told(report: Report) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(report)
    return told


def _print_report(queue: str, report: Report) -> None:
    died = f", {report.died:,} of them are dead again" if report.died else ""
    click.echo(f"{queue}: {report.redriven:,} redriven{died}")
    for id, reason in report.kept.items():
        click.echo(f"{id} {reason}: it stays dead")
    if report.stopped:
        click.echo(f"stopped: {report.stopped}; {report.left:,} were not sent", err=True)
        click.echo(
            f"  help: `pipeline dead groups {queue}` shows what they died of; the same command goes on",
            err=True,
        )
