"""`pipeline flows`: begin flows, look at them, stop them, and let them go on."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.app import Commands
from pipeline.cli.draw_flow import print_flow, print_flows
from pipeline.cli.enqueue import client, read_payload
from pipeline.cli.names import flow_names
from pipeline.cli.output import print_json
from pipeline.cli.project import as_json, at_work, connected, takes_config

STATES = ("running", "failing", "handling", "cancelling", "completed", "failed", "cancelled")


@click.group(cls=Commands)
def flows() -> None:
    """Steps that need each other: begin them, look at them, move them by hand."""


@flows.command("list")
@click.argument("name", required=False, shell_complete=flow_names)
@click.option("--state", type=click.Choice(STATES), help="Only flows in this state.")
@click.option(
    "--limit", type=click.IntRange(min=1, max=1_000), default=100, show_default=True, help="At most so many."
)
@as_json
@takes_config
def list_(name: str | None, state: str | None, limit: int, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """The flows that are kept, of NAME or of all: those that have not ended, then those that have; newest first."""
    from pipeline.store.flowlist import list_flows

    plan, _ = at_work(None, config_)
    with connected(plan) as connection:
        found = list_flows(connection, plan, name, state, limit)
    if as_json:
        print_json([_told(one) for one in found])
    elif found:
        print_flows(found)
    else:
        click.echo("no such flow is kept")


@flows.command()
@click.argument("name", shell_complete=flow_names)
@click.argument("data", required=False)
@click.option("--id", "id_", help="What is to stand behind the name in its id: it begins once only.")
@as_json
@takes_config
def start(name: str, data: str | None, id_: str | None, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Begin the flow NAME. DATA is JSON for its steps; - reads it from the input.

    Prints its id, and `created` or `duplicate`.
    """
    with client(config_) as to:
        started = to.start_flow(name, read_payload(data), id=id_)
    if as_json:
        print_json(_told(started))
    else:
        click.echo(f"{started.id}  {started.status}")


@flows.command()
@click.argument("id_", metavar="ID")
@as_json
@takes_config
def show(id_: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """A flow with its steps: what is done, runs, waits, and failed."""
    with client(config_) as to:
        flow = to.flow(id_)
    if as_json:
        print_json(_told(flow))
    else:
        print_flow(flow)


@flows.command()
@click.argument("id_", metavar="ID")
@as_json
@takes_config
def cancel(id_: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Begin nothing more of a flow, and cancel its jobs; those that run are stopped."""
    with client(config_) as to:
        to.cancel_flow(id_)
        _tell_state(id_, to.flow(id_).state, as_json=as_json)


@flows.command()
@click.argument("id_", metavar="ID")
@as_json
@takes_config
def retry(id_: str, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Let a failed or cancelled flow go on at what did not end well. What is done stays done."""
    with client(config_) as to:
        to.retry_flow(id_)
        _tell_state(id_, to.flow(id_).state, as_json=as_json)


def _tell_state(id: str, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": id, "state": state})
    else:
        click.echo(f"{id}  {state}")


def _told(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
