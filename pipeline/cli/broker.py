"""`pipeline broker`: the embedded server alone, as a unit of its own."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from pipeline.cli.project import plan_of, takes_file
from pipeline.errors import BrokerUnavailable, PipelineError, StartError
from pipeline.supervisor.locks import HELD

if TYPE_CHECKING:
    from pipeline.supervisor.embedded import Embedded

LOOK_SECONDS = 0.5


@click.command(short_help="Run the embedded broker alone.")
@takes_file
def broker(file: str | None, config_: str | None) -> None:
    """Run the embedded broker of a project until SIGTERM or Ctrl-C."""
    from pipeline.supervisor.embedded import Embedded

    plan = plan_of(file, config_)
    if plan.broker.url != "embedded":
        raise PipelineError(
            f"{plan.file} uses a broker of your own", "only `broker.url: embedded` has one to run"
        )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    embedded = Embedded(plan, "run")
    try:
        embedded.open()
        if not embedded.owned:
            raise StartError("the embedded broker runs already, in another process", HELD)
        click.echo(f"{plan.name}: the broker listens at {embedded.url}; Ctrl-C stops it")
        serve(embedded, stop)
    finally:
        embedded.close()


def serve(embedded: Embedded, stop: threading.Event) -> None:
    """Keep the server alive until told to stop: one that ended by itself is started again."""
    while not stop.wait(LOOK_SECONDS):
        try:
            embedded.ensure()
        except BrokerUnavailable as error:
            click.echo(f"{error.message}; it is started again", err=True)
