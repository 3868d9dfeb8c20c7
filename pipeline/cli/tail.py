"""`pipeline tail`: what happens to jobs, a line each, as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import click

from pipeline.cli.names import queue_names
from pipeline.cli.output import harmless, print_json
from pipeline.cli.project import as_json, at_work, check_queue, takes_config
from pipeline.errors import BrokerDenied, BrokerError

if TYPE_CHECKING:
    from pipeline.plan import Plan
    from pipeline.store.blocking import BlockingConnection
    from pipeline.store.events import Event, Missed, Watch

PAUSE_SECONDS = 0.5
CONNECT_SECONDS = 5.0
COLORS = {"completed": "green", "dead": "red", "retry": "yellow", "reclaimed": "red", "active": "cyan"}


@click.command(short_help="What happens to jobs, as it happens.")
@click.argument("queues", metavar="[QUEUE...]", nargs=-1, shell_complete=queue_names)
@click.option("--failed", is_flag=True, help="Only attempts that failed, jobs that died or were taken back.")
@as_json
@takes_config
def tail(queues: tuple[str, ...], failed: bool, as_json: bool, config_: str | None) -> None:  # noqa: FBT001
    """Follow QUEUE, or all queues: enqueued, active, completed, retry, dead, cancelled and so on, a line each.

    Nothing is written for it in the broker while nobody follows. Ctrl-C ends it.
    """
    from pipeline.status.events import FAILED
    from pipeline.status.events import told as as_object
    from pipeline.store.events import Missed, Watch

    plan, _ = at_work(None, config_)
    with closing(Way(plan)) as way, suppress(KeyboardInterrupt):
        for queue in queues:
            check_queue(way.open(), plan, queue)
        watch = Watch(plan.name, queues or every_queue(way.open(), plan))
        for told in follow(watch, way):
            if isinstance(told, Missed):
                click.echo(f"{told.queue}: some of what happened is not shown", err=True)
            elif not failed or told.event in FAILED:
                print_json(as_object(told)) if as_json else click.echo(line(told))


class Way:
    """The connection to the broker, while there is one. An embedded broker that does not run is not started."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._connection: BlockingConnection | None = None

    def open(self) -> BlockingConnection:
        """The connection. Raises BrokerError."""
        from pipeline.broker import parse
        from pipeline.state import broker_url
        from pipeline.store.connect import connect_blocking

        if self._connection is None:
            self._connection = connect_blocking(parse(broker_url(self._plan)), CONNECT_SECONDS)
        return self._connection

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def every_queue(connection: BlockingConnection, plan: Plan) -> list[str]:
    """The queues of the file, and those that the broker knows besides."""
    from pipeline.store.call import run_blocking
    from pipeline.store.reader import queue_names

    return sorted({*plan.queues, *run_blocking(connection, queue_names(plan.name))})


def follow(watch: Watch, way: Way) -> Iterator[Event | Missed]:
    """What happens, for ever. A broker that is away is waited for. Raises BrokerDenied."""
    away = False
    while True:
        try:
            watch.renew(way.open(), time.monotonic())
            if away:
                click.echo("the broker is back", err=True)
                away = False
            yield from watch.read(way.open())
        except BrokerDenied:
            raise
        except BrokerError as error:
            if not away:
                click.echo(f"{harmless(error.message)}; waits for it", err=True)
            away = True
            way.close()
            watch.lost()
            time.sleep(PAUSE_SECONDS)


def line(told: Event) -> str:
    """An event for people."""
    from pipeline.status.events import told as as_object
    from pipeline.status.figures import span

    shown = as_object(told)
    clock = time.strftime("%H:%M:%S", time.localtime(told.at / 1000)) + f".{told.at % 1000:03}"
    event = click.style(f"{told.event:<9}", fg=COLORS.get(told.event))
    rest = [] if shown["duration_ms"] is None else [span(shown["duration_ms"])]
    if shown["error"]:
        rest.append("{type}: {message}".format(**shown["error"]))
    words = f"{told.queue} {told.id} {shown['name'] or '-'}"
    return f"{clock}  {event} {harmless(words)}  {harmless(' '.join(rest).partition(chr(10))[0])}".rstrip()
