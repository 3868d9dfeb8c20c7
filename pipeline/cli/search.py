"""`pipeline jobs search`: jobs by what they hold."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from pipeline.cli.output import harmless, print_json, until_interrupted
from pipeline.cli.project import as_json, operator, takes_config, takes_queue
from pipeline.cli.types import moment

if TYPE_CHECKING:
    from pipeline.store.operator import Operator
    from pipeline.store.reader import JobView
    from pipeline.store.search import Search

STATES = ("waiting", "delayed", "active", "completed", "dead", "cancelled")


@click.command()
@takes_queue
@click.argument("text", required=False)
@click.option("--id", "id_", metavar="BEGINNING", help="Only jobs whose id begins so.")
@click.option("--job", "name", help="Only jobs of this name.")
@click.option("--error", help="Only those whose error says this: TimeoutError, declined.")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--since", type=moment, help="Only those that ended, or came, since: 10m ago, or a time.")
@click.option("--until", type=moment, help="Only those that ended, or came, by then: 1h ago, or a time.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@click.option("--after", metavar="ID", help="Go on behind this job.")
@as_json
@takes_config
def search(
    queue: str,
    text: str | None,
    id_: str | None,
    name: str | None,
    error: str | None,
    states: tuple[str, ...],
    since: int | datetime | None,
    until: int | datetime | None,
    limit: int,
    after: str | None,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """The jobs of QUEUE that hold TEXT in their id, name, payload or error, in any case; newest first.

    Each is printed when it is found, with --json one object a line. Ctrl-C ends it, and tells how to go on.
    """
    from pipeline.store.listing import Filter
    from pipeline.store.search import Search

    if id_ is not None and after is not None:
        raise click.UsageError("--after goes on in a list; with --id give more of the id")
    with operator(config_, queue) as hands:
        only = Filter(name, error, at(hands, until), at(hands, since), text, id_ or None)
        with until_interrupted() as stop:
            found = Search(hands, only, states or STATES, after, stop)  # type: ignore[arg-type]
            more = show(found, limit, json_line if as_json else line)
    if more:
        on = "give more of the id" if id_ else f"--after {found.last} goes on"
        click.echo(f"stopped behind {found.looked:,} jobs: {on}", err=True)
    elif not as_json:
        click.echo(f"{found.looked:,} jobs were looked at", err=True)


def at(hands: Operator, given: int | datetime | None) -> int | None:
    """The point in time, in ms since 1970, by the server's clock."""
    if given is None:
        return None
    return hands.time() - given if isinstance(given, int) else int(given.timestamp() * 1000)


def show(found: Search, limit: int, draw: Callable[[JobView], None]) -> bool:
    """Print what is found; whether there may be more."""
    for count, job in enumerate(found, 1):
        draw(job)
        if count == limit:
            return True
    return found.stopped


def json_line(job: JobView) -> None:
    """A job for programs: as `jobs list --json` has it."""
    from pipeline.cli.draw import brief

    print_json(brief(job))


def line(job: JobView) -> None:
    """A job for people."""
    from pipeline.cli.draw import about, when

    shown = f"{job.id:<8}  {job.name:<16}  {job.state:<9}  {when(job.finished_at or job.enqueued_at)}  {about(job)}"
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(harmless(shown)[:width])
