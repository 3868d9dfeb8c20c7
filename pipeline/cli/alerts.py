"""`pipeline alerts`: whether they arrive."""

from __future__ import annotations

import socket

import click

from pipeline.cli.app import Commands
from pipeline.cli.project import at_work, takes_config
from pipeline.errors import UnknownAlert


@click.group(cls=Commands, short_help="Whether alerts arrive.")
def alerts() -> None:
    """Who is told when something goes wrong."""


@alerts.command()
@click.argument("name")
@takes_config
def test(name: str, config_: str | None) -> None:
    """Send a test message to the alert NAME, from here and now: no supervisor is involved."""
    from pipeline.alerts.deliver import deliver
    from pipeline.alerts.message import Origin
    from pipeline.clock import now_ms
    from pipeline.config.suggest import did_you_mean

    plan, _ = at_work(None, config_)
    alert = plan.alerts.get(name)
    if alert is None:
        raise UnknownAlert(f"there is no alert {name!r} in {plan.name}", did_you_mean(name, plan.alerts))
    origin = Origin(plan.name, socket.gethostname(), now_ms())
    deliver(name, alert, origin.says("test", f"a test of the alert {name}"), plan.root, plan.secrets)
    click.echo(f"{name}: sent")
