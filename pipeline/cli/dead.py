"""`pipeline dead`: the jobs that are kept for a person."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import click

from pipeline.cli.app import REFUSED, Commands
from pipeline.cli.groups import groups, redrive_with_care, takes_care, takes_group
from pipeline.cli.jobs import chosen, each, print_list, retry, show, takes_filters, takes_page
from pipeline.cli.output import confirm, print_json, progress
from pipeline.cli.project import as_json, operator, takes_config, takes_queue, yes

if TYPE_CHECKING:
    from pipeline.store.operator import Operator
    from pipeline.store.reader import JobView


@click.group(cls=Commands, short_help="Jobs that are kept for a person.")
def dead() -> None:
    """Dead letters: out of attempts or discarded, kept for a person."""


dead.add_command(show)
dead.add_command(groups)


@dead.command("list")
@takes_queue
@takes_filters
@takes_group
@takes_page
@as_json
@takes_config
def list_(
    queue: str,
    name: str | None,
    error: str | None,
    older_than: int | None,
    group: str | None,
    limit: int,
    after: str | None,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """The dead jobs of QUEUE, newest first."""
    with operator(config_, queue) as hands:
        found = hands.jobs(("dead",), chosen(hands, name, error, older_than, group=group), after)
        print_list(queue, list(islice(found, limit + 1)), limit, as_json=as_json)


@dead.command()
@takes_queue
@click.argument("ids", metavar="[ID...]", nargs=-1)
@takes_filters
@takes_group
@takes_care
@yes
@as_json
@takes_config
def redrive(
    queue: str,
    ids: tuple[str, ...],
    name: str | None,
    error: str | None,
    older_than: int | None,
    group: str | None,
    rate: float | None,
    probe: int | None,
    stop_at: float | None,
    patience: int,
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Let dead jobs of QUEUE run again, from attempt 1: those named, or all that the filters mean."""
    with operator(config_, queue) as hands:
        if ids:
            each(queue, ids, partial(retry, hands), as_json=as_json)
            return
        found = meant(hands, name, error, older_than, group)
        confirm_bulk("Redrive", queue, found, yes=yes)
        if rate or probe or stop_at is not None:
            redrive_with_care(hands, found, rate, probe, stop_at, patience, as_json=as_json)
            return
        with progress("redrive", len(found)) as advance:
            answer = hands.redrive_many(found, advance)
    if as_json:
        print_json({"queue": queue, "redriven": answer.moved, "kept": answer.kept})
    else:
        click.echo(f"{queue}: {answer.moved:,} redriven")
        for id, reason in answer.kept.items():
            click.echo(f"{id} {reason}: it stays dead")
    if answer.kept:
        click.get_current_context().exit(REFUSED)


@dead.command()
@takes_queue
@takes_filters
@takes_group
@yes
@as_json
@takes_config
def purge(
    queue: str,
    name: str | None,
    error: str | None,
    older_than: int | None,
    group: str | None,
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Delete dead jobs of QUEUE for good: all that the filters mean."""
    with operator(config_, queue) as hands:
        found = meant(hands, name, error, older_than, group)
        confirm_bulk("Delete", queue, found, yes=yes)
        with progress("purge", len(found)) as advance:
            purged = hands.remove_many(found, advance)
    if as_json:
        print_json({"queue": queue, "purged": purged})
    else:
        click.echo(f"{queue}: {purged:,} dead deleted")


def meant(
    hands: Operator, name: str | None, error: str | None, older_than: int | None, group: str | None
) -> list[JobView]:
    """The dead jobs that the filters mean."""
    return list(hands.jobs(("dead",), chosen(hands, name, error, older_than, group=group)))


def confirm_bulk(verb: str, queue: str, found: list[JobView], *, yes: bool) -> None:
    """Ask, unless there is nothing to ask about."""
    count = f"the dead job {found[0].id}" if len(found) == 1 else f"{len(found):,} dead jobs"
    confirm(f"{verb} {count} of {queue}?", yes=yes or not found)
