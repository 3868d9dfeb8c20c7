"""`pipeline reload`, `rollback`, `restart`, `stop`, `quiet`: what is asked of the supervisors that run here."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from pipeline.cli.app import OK, REFUSED
from pipeline.cli.names import queue_names
from pipeline.cli.output import print_json
from pipeline.cli.project import as_json, root, takes_config
from pipeline.control import Outcome, Request, ask_all, speakers
from pipeline.errors import NotRunning
from pipeline.state import me

NEEDS_RESTART = 4


@click.command(short_help="Apply the file as it is now, and tell what came of it.")
@click.option("--if-generation", type=int, metavar="N", help="Only if generation N runs.")
@as_json
@takes_config
@click.pass_context
def reload(
    ctx: click.Context,
    if_generation: int | None,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Apply the file as it is now. Waits until the workers that run go by it.

    Exit codes: 0 applied or unchanged, 1 rejected: what ran before runs on, 4 it needs a restart.
    """
    ctx.exit(change(config_, Request("reload", me(), if_generation=if_generation), as_json=as_json))


@click.command(short_help="Go back to an older generation.")
@click.argument("generation", type=int, required=False)
@as_json
@takes_config
@click.pass_context
def rollback(
    ctx: click.Context,
    generation: int | None,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Go back to GENERATION, or to the one before: `pipeline history` lists them.

    The file is held, and not applied again, until its content changes or `pipeline reload`.
    """
    ctx.exit(change(config_, Request("rollback", me(), to=generation), as_json=as_json))


@click.command(short_help="New processes, and new code, one at a time.")
@click.argument("queues", nargs=-1, shell_complete=queue_names)
@as_json
@takes_config
@click.pass_context
def restart(
    ctx: click.Context,
    queues: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Replace the workers of QUEUES, or all, one at a time: new code, same config.

    A first worker must import the handlers before any old one goes; if it cannot, nothing changes.
    """
    ctx.exit(change(config_, Request("restart", me(), queues=list(queues) or None), as_json=as_json))


@click.command()
@takes_config
def stop(config_: str | None) -> None:
    """Stop the supervisors of this project: what runs is ended first. Waits until they are gone."""
    stopped = 0
    for speaker in speakers(root(config_)):
        stopped += 1
        try:
            speaker.ask(Request("stop", me()), click.echo)
        except NotRunning:
            click.echo(f"supervisor {speaker.pid} has stopped")
    if not stopped:
        raise NotRunning("no supervisor runs in this project")


@click.command()
@click.option("--off", is_flag=True, help="Take jobs again.")
@takes_config
def quiet(off: bool, config_: str | None) -> None:  # noqa: FBT001
    """Take no new jobs on this host; what runs is ended. `--off` takes jobs again."""
    for pid in ask_all(root(config_), Request("resume" if off else "quiet", me()), click.echo):
        click.echo(f"supervisor {pid} {'takes jobs again' if off else 'takes no new jobs'}")


def change(config: str | None, request: Request, *, as_json: bool) -> int:
    """Ask every supervisor of the project; print the outcomes. The exit code."""
    answers = ask_all(root(config), request, lambda text: None if as_json else click.echo(text, err=True))
    outcomes = {pid: msgspec.convert(answer, Outcome) for pid, answer in answers.items()}
    if as_json:
        told: list[dict[str, Any]] = [
            {"pid": pid, **msgspec.to_builtins(outcome)} for pid, outcome in outcomes.items()
        ]
        print_json(told)
    else:
        for pid, outcome in outcomes.items():
            tell(outcome, f"supervisor {pid}: " if len(outcomes) > 1 else "", request.do)
    statuses = {outcome.status for outcome in outcomes.values()}
    if "restart_required" in statuses:
        return NEEDS_RESTART
    return REFUSED if statuses & {"rejected", "conflict"} else OK


def tell(outcome: Outcome, who: str, what: str) -> None:
    """One outcome, for people."""
    generation = f"generation {outcome.generation}"
    match outcome.status:
        case "applied" if what == "restart":
            click.echo(f"{who}new workers run, {generation} ({outcome.took_ms} ms)")
        case "applied":
            count = f"{len(outcome.changes)} change{'s' * (len(outcome.changes) != 1)}"
            click.echo(f"{who}{generation} runs: {count} ({outcome.took_ms} ms)")
        case "unchanged" if what == "rollback":
            click.echo(f"{who}unchanged: {generation} says the same")
        case "unchanged":
            click.echo(f"{who}unchanged: {generation} is what the file says")
        case _:
            click.echo(f"{who}not applied, {generation} goes on:", err=True)
            click.echo(outcome.reason or "", err=True)
