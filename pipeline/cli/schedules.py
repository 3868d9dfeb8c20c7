"""`pipeline schedules`: when jobs go in by themselves; now instead of then, or not for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pipeline.cli.app import Commands
from pipeline.cli.enqueue import client, print_answer
from pipeline.cli.names import schedule_names
from pipeline.cli.output import console, print_json
from pipeline.cli.project import as_json, at_work, connected, takes_config, takes_file
from pipeline.state import me

if TYPE_CHECKING:
    from rich.text import Text

    from pipeline.plan import Plan
    from pipeline.status.schedules import ScheduleState

takes_name = click.argument("name", shell_complete=schedule_names)


@click.group(cls=Commands, short_help="Jobs that go in by themselves: next runs, run now, pause.")
def schedules() -> None:
    """The schedules of the project."""


@schedules.command("list")
@takes_file
@as_json
def list_(file: str | None, config_: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Every schedule of the file: its next and its last run, and what came of them."""
    plan, _ = at_work(file, config_)
    with connected(plan):
        found = asyncio.run(_look(plan))
    if as_json:
        from msgspec import to_builtins

        print_json([{"name": name, **to_builtins(state)} for name, state in found.items()])
        return
    out = console()
    for text in lines(found):
        out.print(text)
    if not found:
        click.echo("the file has no schedules")


async def _look(plan: Plan) -> dict[str, ScheduleState]:
    from pipeline.broker import parse
    from pipeline.state import broker_url
    from pipeline.status.schedules import look_at_schedules
    from pipeline.store.connect import connect

    connection = await connect(parse(broker_url(plan)))
    try:
        return await look_at_schedules(connection, plan)
    finally:
        connection.close()


@schedules.command()
@takes_name
@as_json
@takes_config
def run(name: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Enqueue the job of schedule NAME now, out of turn, also while it is paused. Prints the job's id."""
    from pipeline.clock import now_ms
    from pipeline.status.schedules import one_of

    plan, _ = at_work(None, config_)
    schedule = one_of(plan, name)
    with client(config_) as to:
        answer = to.enqueue(schedule.queue, schedule.job, schedule.data, id=f"{name}:run:{now_ms()}")
    print_answer(schedule.queue, answer, as_json=as_json)


@schedules.command()
@takes_name
@as_json
@takes_config
def pause(name: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Let schedule NAME stand still until `pipeline schedules resume`. What it has enqueued runs."""
    _halt(name, config_, paused=True, as_json=as_json)


@schedules.command()
@takes_name
@as_json
@takes_config
def resume(name: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Let schedule NAME go on, from now: what it had enqueued meanwhile is left out."""
    _halt(name, config_, paused=False, as_json=as_json)


def _halt(name: str, config: str | None, *, paused: bool, as_json: bool) -> None:
    from pipeline.status.schedules import halting
    from pipeline.store.call import run_blocking
    from pipeline.store.reader import server_time

    plan, _ = at_work(None, config)
    with connected(plan) as connection:
        now = run_blocking(connection, server_time())
        changed = run_blocking(connection, halting(plan, name, me(), now, paused=paused))
    if as_json:
        print_json({"name": name, "paused": paused, "changed": changed})
    elif paused:
        click.echo(f"{name} {'is paused' if changed else 'was paused already'}")
    else:
        click.echo(f"{name} goes on" if changed else f"{name} was not paused")


def lines(found: dict[str, ScheduleState]) -> Iterator[Text]:
    """What people see: for each schedule when it runs, what it enqueues, and what came of it."""
    from pipeline.clock import now_ms
    from pipeline.status.figures import clock
    from pipeline.status.terminal import next_run
    from pipeline.status.troubles import line

    now = now_ms()
    width = max(map(len, found), default=0)
    for name, state in found.items():
        indent = " " * (width + 2)
        yield line((f"{name:<{width}}", "bold"), "  next ", next_run(state, now), "  ", (state.when, "dim"))
        counts = {"skipped": state.skipped_total, "missed": state.missed_total}
        told = "".join(f", {count:,} {word}" for word, count in counts.items() if count)
        yield line(indent, f"{state.queue} {state.job}: {state.fired_total:,} enqueued{told}")
        if state.last_at is not None:
            became = state.last_state or "not kept any more"
            yield line(indent, f"last {clock(state.last_at, now)}  {became}  ", (state.last_job or "", "dim"))
        if state.paused and state.paused_at is not None:
            since = f" since {clock(state.paused_at, now)}" if state.paused_at else ""
            yield line(indent, ("paused", "yellow"), f" by {state.paused_by}{since}")
