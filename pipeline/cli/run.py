"""`pipeline run`: supervise the queues of a file, with a live view where a person watches."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

import click

from pipeline.cli.app import BAD_CONFIG
from pipeline.cli.names import queue_names
from pipeline.cli.output import console, print_error
from pipeline.cli.project import find, profile_of, takes_file
from pipeline.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    from pipeline.plan import Plan

KEYS = "Ctrl-C stops: jobs that run are ended first; twice gives them back at once"
LAST_LINES = 12


@click.command(short_help="Run the queues of a file.")
@takes_file
@click.option(
    "--until-empty", is_flag=True, help="End when no job waits, runs or is delayed; schedules do not fire."
)
@click.option("--queues", metavar="A,B", shell_complete=queue_names, help="Only these queues.")
@click.option("--plain", is_flag=True, help="Lines, also on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Log lines as JSON.")
@click.pass_context
def run(
    ctx: click.Context,
    file: str | None,
    config_: str | None,
    until_empty: bool,  # noqa: FBT001
    queues: str | None,
    plain: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run the queues of FILE: start their workers, keep them alive, stop them without losing a job.

    A live view on a terminal, plain lines elsewhere. Exit codes: 1 jobs died (--until-empty) or a pool is
    FATAL, 13 a queue is run already, 69 the broker is away, 77 it does not let us in, 78 the config cannot be
    used, 130 hurried.
    """
    try:
        plan = checked(file, config_)
    except ConfigError as error:
        print_error(error, as_json=as_json)
        ctx.exit(BAD_CONFIG)
    names = [name.strip() for name in queues.split(",") if name.strip()] if queues is not None else None
    if plain or as_json or not sys.stdout.isatty():
        ctx.exit(lines(plan, names, until_empty=until_empty, as_json=as_json))
    ctx.exit(watched(plan, names, until_empty=until_empty))


def checked(file: str | None, config: str | None) -> Plan:
    """The plan; warnings are printed, mistakes raise ConfigError."""
    from pipeline.config.findings import render
    from pipeline.config.load import load, refusal

    path = find(file, config)
    loaded = load(path, profile=profile_of(path), secrets="required")
    if loaded.plan is None:
        raise refusal(loaded)
    if loaded.findings:
        click.echo(render(loaded.findings, color=sys.stderr.isatty()) + "\n", err=True)
    return loaded.plan


def lines(plan: Plan, queues: list[str] | None, *, until_empty: bool, as_json: bool) -> int:
    """Run with plain lines, or JSON lines, on standard output."""
    from pipeline.supervisor.supervisor import supervise

    work = supervise(plan, queues=queues, until_empty=until_empty, json_logs=as_json, out=sys.stdout)
    return asyncio.run(work)


def watched(plan: Plan, queues: list[str] | None, *, until_empty: bool) -> int:
    """Run with the live view. At its end the last lines of the log and the figures are printed."""
    from pipeline.cli.live import Dashboard
    from pipeline.supervisor.supervisor import supervise

    dashboard = Dashboard(plan, KEYS)
    try:
        with dashboard:
            work = supervise(plan, queues=queues, until_empty=until_empty, view=dashboard.add, out=sys.stdout)
            code = asyncio.run(work)
    finally:
        for text in list(dashboard.lines)[-LAST_LINES:]:
            click.echo(text)
    print_figures(plan)
    return code


def print_figures(plan: Plan) -> None:
    """What came of the queues. An embedded broker has stopped with the supervisor: it is asked once more."""
    from pipeline.cli.status import look
    from pipeline.status.terminal import outcome
    from pipeline.supervisor.embedded import open_broker

    with contextlib.suppress(BrokerError), open_broker(plan, start=True):
        snapshot = asyncio.run(look(plan))
        out = console()
        out.print()
        out.print(outcome(snapshot, out.width))
