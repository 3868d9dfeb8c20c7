"""`pipeline lanes`: which lanes of a queue are full, and what holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.output import console, print_json
from pipeline.cli.project import as_json, operator, takes_config, takes_queue

if TYPE_CHECKING:
    from pipeline.store.lanes import Lane


@click.command()
@takes_queue
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="At most so many."
)
@as_json
@takes_config
def lanes(queue: str, limit: int, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """The fullest lanes of QUEUE, and what holds each."""
    from pipeline.store.call import run_blocking
    from pipeline.store.lanes import fullest

    with operator(config_, queue) as hands:
        found = run_blocking(hands.connection, fullest(hands.project, queue, limit))
        now = hands.time()
    if as_json:
        print_json({"queue": queue, "lanes": found})
    elif found:
        print_lanes(found, now)
    else:
        click.echo(f"no job of {queue} waits in a lane")


def print_lanes(found: list[Lane], now: int) -> None:
    """A table, one lane a row."""
    from rich.table import Table
    from rich.text import Text

    from pipeline.status.text import clean

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("lane", no_wrap=True, overflow="ellipsis", max_width=40)
    for name in ("wait", "next", "active"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("held by", no_wrap=True)
    for lane in found:
        figures = (f"{lane.waiting:,}", f"{lane.next:,}", f"{lane.active:,}")
        table.add_row(Text(clean(lane.lane)), *figures, Text(held_by(lane, now)))
    console().print(table)


def held_by(lane: Lane, now: int) -> str:
    """Why nobody else of the lane may start."""
    from pipeline.status.figures import clock, span

    if lane.held_until_at is not None:
        return f"a handler, until {clock(lane.held_until_at, now)}"
    if lane.opens_at is not None:
        return f"its rate, for {span(lane.opens_at - now)}"
    return "those that are active" if lane.active else "its turn"
