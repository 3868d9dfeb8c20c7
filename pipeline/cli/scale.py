"""`pipeline scale` and `reset`: what a person changes in a running project, and takes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pipeline.cli.output import print_json
from pipeline.cli.project import as_json, at_work, check_queue, connected, lasts, takes_config, takes_queue
from pipeline.cli.queue import end_of, until_words
from pipeline.policy import MAX_PROCESSES
from pipeline.state import me

if TYPE_CHECKING:
    from pipeline.crew import Crew
    from pipeline.status.queues import Override


@contextmanager
def held(config: str | None, queue: str) -> Iterator[Crew]:
    """The queue and those that it shares its pool with. Raises ConfigError, BrokerUnavailable, UnknownQueue."""
    from pipeline.crew import crew

    plan, _ = at_work(None, config)
    with connected(plan) as connection:
        check_queue(connection, plan, queue)
        yield crew(connection, plan, queue)


@click.command(short_help="Run a queue with so many processes.")
@takes_queue
@click.argument("processes", type=int)
@lasts
@as_json
@takes_config
def scale(queue: str, processes: int, last: int | None, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Serve QUEUE with so many PROCESSES on each host, whatever the file says.

    It holds until it ends, `pipeline reset`, or the file itself changes their number. Queues that share a pool are
    scaled together.
    """
    if processes == 0:
        raise click.UsageError(f"no processes are a pause: pipeline pause {queue}")
    if not 1 <= processes <= MAX_PROCESSES:
        raise click.UsageError(f"processes are 1 to {MAX_PROCESSES:,}, not {processes:,}")
    with held(config_, queue) as found:
        until = end_of(found.hands, last)
        found.scale(processes, me(), until)
    if as_json:
        told = {"queue": queue, "pool": found.pool, "processes": processes, "was": found.processes}
        print_json({**told, "until_at": until})
    else:
        click.echo(f"{names(found)}: {processes} processes instead of {found.processes}{until_words(until)}")


def names(found: Crew) -> str:
    """The queues of a pool, for people."""
    return ", ".join(found.names)


@click.command(short_help="Let the file count again.")
@takes_queue
@as_json
@takes_config
def reset(queue: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Take back what people changed in QUEUE by hand: pauses, resumes, and numbers of processes."""
    with held(config_, queue) as found:
        removed = found.reset()
    if as_json:
        print_json({"queue": queue, "removed": removed})
    for override in () if as_json else removed:
        click.echo(f"{queue}: {words(override)}")
    if not (as_json or removed):
        click.echo(f"{queue}: nothing was changed by hand")


def words(override: Override) -> str:
    """What was taken back, for people."""
    by = f" by {override.by}" if override.by else ""
    if override.field == "processes":
        return f"no longer {override.value} processes{by}, but {override.file or 'none'}"
    if override.file:
        return "paused, as the file says"
    return f"no longer paused{by}"
