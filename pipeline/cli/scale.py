"""`pipeline scale` and `reset`: what a person changes in a running project, and takes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from pipeline.cli.output import print_json
from pipeline.cli.project import as_json, at_work, check_queue, connected, lasts, takes_config, takes_queue
from pipeline.cli.queue import end_of, until_words
from pipeline.errors import PipelineError
from pipeline.policy import MAX_PROCESSES
from pipeline.state import me

if TYPE_CHECKING:
    from pipeline.plan import Plan
    from pipeline.status.queues import Override
    from pipeline.store.operator import Operator


class NotRun(PipelineError):
    """No worker process serves the queue."""

    code = "not_run"


class Crew(Struct, frozen=True):
    """Hands on a queue, and on each queue of its pool. `processes` is what the file says of the pool."""

    hands: Operator
    pool: str | None
    all: list[Operator]
    processes: int | None


@contextmanager
def crew(config: str | None, queue: str) -> Iterator[Crew]:
    """The queue and those that it shares its pool with. Raises ConfigError, BrokerUnavailable, UnknownQueue."""
    from pipeline.store.operator import Operator

    plan, _ = at_work(None, config)
    with connected(plan) as connection:
        check_queue(connection, plan, queue)
        pool = pool_of(plan, queue)
        queues = plan.pools[pool].queues if pool else (queue,)
        hands = {name: Operator(connection, plan.name, name, plan.queues.get(name)) for name in queues}
        yield Crew(hands[queue], pool, list(hands.values()), plan.pools[pool].processes if pool else None)


def pool_of(plan: Plan, queue: str) -> str | None:
    """The pool that serves a queue; None when it has no handlers, or is not in the file."""
    jobs = plan.queues[queue].every_job if queue in plan.queues else []
    if all(job.handler is None for job in jobs):
        return None
    return next(name for name, pool in plan.pools.items() if queue in pool.queues)


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
    from pipeline.store.overrides import Scale

    if processes == 0:
        raise click.UsageError(f"no processes are a pause: pipeline pause {queue}")
    if not 1 <= processes <= MAX_PROCESSES:
        raise click.UsageError(f"processes are 1 to {MAX_PROCESSES:,}, not {processes:,}")
    with crew(config_, queue) as found:
        if found.pool is None:
            raise NotRun(f"no process serves {queue!r}", "give it a handler in the file")
        until = end_of(found.hands, last)
        wanted = Scale(processes, me(), found.hands.time(), until, found.processes)
        for hands in found.all:
            hands.scale(wanted)
    if as_json:
        told = {"queue": queue, "pool": found.pool, "processes": processes, "was": found.processes}
        print_json({**told, "until_at": until})
    else:
        click.echo(f"{names(found)}: {processes} processes instead of {found.processes}{until_words(until)}")


def names(found: Crew) -> str:
    """The queues of a pool, for people."""
    return ", ".join(hands.queue for hands in found.all)


@click.command(short_help="Let the file count again.")
@takes_queue
@as_json
@takes_config
def reset(queue: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Take back what people changed in QUEUE by hand: pauses, resumes, and numbers of processes."""
    from pipeline.status.queues import overrides_of
    from pipeline.store.store import run_blocking

    with crew(config_, queue) as found:
        found.hands.overrides()  # what has ended already is not taken back
        counts = run_blocking(found.hands.connection, found.hands.reader.counts())
        removed = list(overrides_of(counts, found.processes))
        for override in removed:
            take_back(override, found)
    if as_json:
        print_json({"queue": queue, "removed": removed})
    for override in () if as_json else removed:
        click.echo(f"{queue}: {words(override)}")
    if not (as_json or removed):
        click.echo(f"{queue}: nothing was changed by hand")


def take_back(override: Override, found: Crew) -> None:
    """Let the file count again for one field."""
    from pipeline.store.overrides import BY_FILE

    if override.field == "processes":
        for hands in found.all:
            hands.unscale()
    elif override.file:
        found.hands.pause(BY_FILE)
    else:
        found.hands.resume()


def words(override: Override) -> str:
    """What was taken back, for people."""
    by = f" by {override.by}" if override.by else ""
    if override.field == "processes":
        return f"no longer {override.value} processes{by}, but {override.file or 'none'}"
    if override.file:
        return "paused, as the file says"
    return f"no longer paused{by}"
