"""`pipeline pause`, `resume` and `purge`: what a person does to a whole queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.output import confirm, print_json, progress
from pipeline.cli.project import as_json, lasts, operator, takes_config, takes_queue, yes
from pipeline.state import me

if TYPE_CHECKING:
    from pipeline.store.operator import Operator


@click.command()
@takes_queue
@lasts
@as_json
@takes_config
def pause(queue: str, last: int | None, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Stop QUEUE for everyone, until `pipeline resume`. Jobs that run are ended; new ones wait."""
    with operator(config_, queue) as hands:
        until = end_of(hands, last)
        changed = hands.pause(me(), until)
    if as_json:
        print_json({"queue": queue, "paused": True, "changed": changed, "until_at": until})
    else:
        click.echo(f"{queue} {'is paused' if changed else 'was paused already'}{until_words(until)}")


def end_of(hands: Operator, last: int | None) -> int | None:
    """When something ends that begins now and lasts so long, by the broker's clock."""
    if last == 0:
        raise click.UsageError("--for must be longer than 0")
    return None if last is None else hands.time() + last


def until_words(until: int | None) -> str:
    """When something ends, at the end of a sentence."""
    from pipeline.clock import now_ms
    from pipeline.status.figures import clock

    return "" if until is None else f", until {clock(until, now_ms())}"


@click.command()
@takes_queue
@as_json
@takes_config
def resume(queue: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Let a paused QUEUE go on."""
    with operator(config_, queue) as hands:
        changed = hands.resume()
    if as_json:
        print_json({"queue": queue, "paused": False, "changed": changed})
    else:
        click.echo(f"{queue} goes on" if changed else f"{queue} was not paused")


@click.command()
@takes_queue
@yes
@as_json
@takes_config
def purge(queue: str, yes: bool, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Delete all waiting jobs of QUEUE. Delayed, running and ended ones stay."""
    from pipeline.store.call import run_blocking

    with operator(config_, queue) as hands:
        waiting = run_blocking(hands.connection, hands.reader.counts()).waiting
        confirm(f"Delete {waiting:,} waiting jobs of {queue}?", yes=yes or not waiting)
        with progress("purge", waiting) as advance:
            purged = hands.purge(advance)
    if as_json:
        print_json({"queue": queue, "purged": purged})
    else:
        click.echo(f"{queue}: {purged:,} waiting jobs deleted")
