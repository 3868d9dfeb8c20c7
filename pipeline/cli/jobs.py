"""`pipeline jobs` and `pipeline dead`: look at jobs, and move them by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli import draw
from pipeline.cli.app import REFUSED, Commands
from pipeline.cli.bulk import move as move_all
from pipeline.cli.bulk import states_of, takes_newer
from pipeline.cli.change import duplicate, update
from pipeline.cli.moving import export, ids_of
from pipeline.cli.output import print_error, print_json
from pipeline.cli.project import as_json, operator, takes_config, takes_queue, yes
from pipeline.cli.search import search
from pipeline.cli.types import duration
from pipeline.errors import JobError

if TYPE_CHECKING:
    from pipeline.store.bulk import Kind
    from pipeline.store.listing import Filter
    from pipeline.store.operator import Operator
    from pipeline.store.reader import JobView

STOP_SECONDS = 2.0
STATES = ("waiting", "delayed", "active", "blocked", "completed", "dead", "cancelled")
Command = TypeVar("Command", bound=Callable[..., Any])


def takes_filters(command: Command) -> Command:
    """Adds `--job`, `--error` and `--older-than`."""
    command = click.option(
        "--older-than", type=duration, help="Only those that ended (or came) so long ago: 3d."
    )(command)
    command = click.option("--error", help="Only those whose error says this: TimeoutError, declined.")(
        command
    )
    return click.option("--job", "name", help="Only jobs of this name.")(command)


def takes_page(command: Command) -> Command:
    """Adds `--limit` and `--after`."""
    command = click.option("--after", metavar="ID", help="Go on behind this job.")(command)
    return click.option(
        "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
    )(command)


def chosen(
    hands: Operator,
    name: str | None,
    error: str | None,
    older_than: int | None,
    newer_than: int | None = None,
    group: str | None = None,
) -> Filter:
    """The filter that the options mean."""
    from pipeline.store.listing import Filter

    until, since = (None if age is None else hands.time() - age for age in (older_than, newer_than))
    return Filter(name, error, until, since, group=group)


@click.group(cls=Commands)
def jobs() -> None:
    """Look at jobs, and move them by hand."""


@jobs.command("list")
@takes_queue
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@takes_filters
@takes_newer
@takes_page
@as_json
@takes_config
def list_(
    queue: str,
    state: str | None,
    name: str | None,
    error: str | None,
    older_than: int | None,
    newer_than: int | None,
    limit: int,
    after: str | None,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """The jobs of QUEUE, newest first."""
    from pipeline.store.listing import LISTED

    with operator(config_, queue) as hands:
        only = chosen(hands, name, error, older_than, newer_than)
        found = hands.jobs((state,) if state else LISTED, only, after)  # type: ignore[arg-type]
        print_list(queue, list(islice(found, limit + 1)), limit, as_json=as_json)


def print_list(queue: str, found: list[JobView], limit: int, *, as_json: bool) -> None:
    """A page of jobs, and how to see the next."""
    if as_json:
        print_json([draw.brief(job) for job in found[:limit]])
    elif not found:
        click.echo(f"no such job in {queue}")
    else:
        draw.print_jobs(found[:limit])
        if len(found) > limit:
            click.echo(f"there are more: --after {found[limit - 1].id}", err=True)


@jobs.command()
@takes_queue
@click.argument("id_", metavar="ID")
@as_json
@takes_config
def show(queue: str, id_: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Everything that is kept of one job."""
    with operator(config_, queue) as hands:
        job = hands.job(id_)
    if as_json:
        print_json(draw.full(job))
    else:
        draw.print_job(job)


def each(queue: str, ids: Iterable[str], move: Callable[[str], str], *, as_json: bool) -> None:
    """Move the jobs one by one; what is refused is told, the others go on. Ends with 1 when any was."""
    refused = False
    for id in ids:
        try:
            state = move(id)
        except JobError as error:
            print_error(error, as_json=as_json)
            refused = True
            continue
        if as_json:
            print_json({"queue": queue, "id": id, "state": state})
        else:
            click.echo(f"{id}  {state}")
    if refused:
        click.get_current_context().exit(REFUSED)


def mover(kind: Kind, help: str, move: Callable[[Operator, str], str]) -> None:
    """Adds a command that moves the jobs whose ids it gets, or all that its filters mean."""

    @jobs.command(kind, help=help)
    @takes_queue
    @click.argument("ids", metavar="[ID...]", nargs=-1)
    @click.option(
        "--state", "states", multiple=True, type=click.Choice(STATES), help="Only jobs in this state."
    )
    @takes_filters
    @takes_newer
    @click.option("--all", "all_", is_flag=True, help="All of them.")
    @click.option("--from", "source", type=click.File("rb"), help="Those of an export; - is the input.")
    @yes
    @as_json
    @takes_config
    def command(
        queue: str,
        ids: tuple[str, ...],
        states: tuple[str, ...],
        name: str | None,
        error: str | None,
        older_than: int | None,
        newer_than: int | None,
        all_: bool,  # noqa: FBT001
        source: IO[bytes] | None,
        yes: bool,  # noqa: FBT001
        as_json: bool,  # noqa: FBT001
        config_: str | None,
    ) -> None:
        filters = (name, error, older_than, newer_than)
        chosen_by = (ids, source, filters != (None,) * 4 or states or all_)
        if sum(map(bool, chosen_by)) != 1:
            raise click.UsageError(
                "give ids, or filters (--state, --job, --error, ...), or --all, or --from an export"
            )
        given = None if source is None else ids_of(source, queue)
        taken = () if ids or source else states_of(kind, states)
        with operator(config_, queue) as hands:
            if ids:
                each(queue, ids, partial(move, hands), as_json=as_json)
            else:
                move_all(hands, kind, taken, chosen(hands, *filters), given, yes=yes, as_json=as_json)


def retry(hands: Operator, id: str) -> str:
    """Redrive one; the state it is in now."""
    hands.redrive(id)
    return "waiting"


def cancel(hands: Operator, id: str) -> str:
    """Withdraw one, or have it stopped; the state it is in a moment later."""
    if hands.cancel(id) != "active":
        return "cancelled"
    until = time.monotonic() + STOP_SECONDS
    while (state := hands.job(id).state) == "active" and time.monotonic() < until:
        time.sleep(0.02)
    return state if state != "active" else "active, told to stop"


def remove(hands: Operator, id: str) -> str:
    hands.remove(id)
    return "removed"


def promote(hands: Operator, id: str) -> str:
    hands.promote(id)
    return "waiting"


for command in (update, duplicate, search, export):
    jobs.add_command(command)
mover("retry", "Let dead or cancelled jobs run again, from attempt 1.", retry)
mover("cancel", "Withdraw jobs that wait or are delayed, and stop those that run.", cancel)
mover("remove", "Delete jobs that do not run, whatever their state.", remove)
mover("promote", "Let delayed jobs run now.", promote)
