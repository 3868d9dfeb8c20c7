"""`pipeline metrics`: what queues did in each of the last minutes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.names import queue_names
from pipeline.cli.output import print_json
from pipeline.cli.project import as_json, at_work, check_queue, connected, takes_config

if TYPE_CHECKING:
    from pipeline.status.minutes import Minute

DAY = 1_440
BARS = 60


@click.command(short_help="What queues did in each of the last minutes.")
@click.argument("queues", metavar="[QUEUE...]", nargs=-1, shell_complete=queue_names)
@click.option(
    "--minutes",
    "count",
    type=click.IntRange(1, DAY),
    default=60,
    show_default=True,
    help="How many; a day is kept.",
)
@as_json
@takes_config
def metrics(queues: tuple[str, ...], count: int, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Jobs of QUEUE, or of all queues, that came, were completed, failed, died or were cancelled, minute by minute.

    The supervisors keep the totals once a minute; the minute that goes on is part of it.
    """
    from pipeline.status.minutes import look

    plan, _ = at_work(None, config_)
    with connected(plan) as connection:
        for queue in queues:
            check_queue(connection, plan, queue)
        found = {queue: look(connection, plan.name, queue, count) for queue in queues or plan.queues}
    if as_json:
        print_json(
            {"queues": {queue: [as_object(one) for one in minutes] for queue, minutes in found.items()}}
        )
    else:
        for queue, minutes in found.items():
            draw(queue, minutes)


def as_object(minute: Minute) -> dict[str, Any]:
    """A minute for programs."""
    return {"at": minute.at, **minute.happened._asdict()}


def draw(queue: str, minutes: list[Minute]) -> None:
    """A line of bars for each figure, with its sum and its highest minute."""
    from pipeline.status.figures import BARS as FINE
    from pipeline.status.figures import PLAIN_BARS, spark
    from pipeline.status.minutes import Totals, grouped

    bars = FINE if "utf" in (sys.stdout.encoding or "").lower() else PLAIN_BARS
    click.echo(f"{queue}, the last {len(minutes):,} minutes")
    for name in Totals._fields:
        values = [getattr(minute.happened, name) for minute in minutes]
        line = spark(grouped(values, BARS), bars)
        words = f"{sum(values):>9,}  at most {max(values):,} a minute" if any(values) else f"{0:>9}"
        click.echo(f"  {name.replace('_', ' '):<15}  {line}  {words}")
