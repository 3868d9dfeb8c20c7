"""`pipeline pause`, `resume` and `purge`: what a person does to a whole queue."""

from __future__ import annotations

import click

from pipeline.cli.output import confirm, print_json, progress
from pipeline.cli.project import as_json, operator, takes_config, takes_queue, yes
from pipeline.state import me


@click.command()
@takes_queue
@as_json
@takes_config
def pause(queue: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Stop QUEUE for everyone, until `pipeline resume`. Jobs that run are ended; new ones wait."""
    with operator(config_, queue) as hands:
        changed = hands.pause(me())
    _tell(queue, changed=changed, paused=True, as_json=as_json)


@click.command()
@takes_queue
@as_json
@takes_config
def resume(queue: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Let a paused QUEUE go on."""
    with operator(config_, queue) as hands:
        changed = hands.resume()
    _tell(queue, changed=changed, paused=False, as_json=as_json)


def _tell(queue: str, *, changed: bool, paused: bool, as_json: bool) -> None:
    if as_json:
        print_json({"queue": queue, "paused": paused, "changed": changed})
    elif paused:
        click.echo(f"{queue} is paused" if changed else f"{queue} was paused already")
    else:
        click.echo(f"{queue} goes on" if changed else f"{queue} was not paused")


@click.command()
@takes_queue
@yes
@as_json
@takes_config
def purge(queue: str, yes: bool, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Delete all waiting jobs of QUEUE. Delayed, running and ended ones stay."""
    from pipeline.store.store import run_blocking

    with operator(config_, queue) as hands:
        waiting = run_blocking(hands.connection, hands.reader.counts()).waiting
        confirm(f"Delete {waiting:,} waiting jobs of {queue}?", yes=yes or not waiting)
        with progress("purge", waiting) as advance:
            purged = hands.purge(advance)
    if as_json:
        print_json({"queue": queue, "purged": purged})
    else:
        click.echo(f"{queue}: {purged:,} waiting jobs deleted")
