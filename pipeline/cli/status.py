"""`pipeline status`: one picture, or a live view."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pipeline.cli.app import OK, REFUSED
from pipeline.cli.output import console, print_json
from pipeline.cli.project import as_json, at_work, takes_file
from pipeline.errors import BrokerUnavailable

if TYPE_CHECKING:
    from pipeline.plan import Plan
    from pipeline.status.snapshot import Snapshot

FRAME_SECONDS, PLAIN_SECONDS = 0.4, 2.0


@click.command(short_help="What runs, and what every queue holds.")
@takes_file
@as_json
@click.option("--watch", "-w", is_flag=True, help="A live view; q ends it.")
@click.pass_context
def status(ctx: click.Context, file: str | None, config_: str | None, as_json: bool, watch: bool) -> None:  # noqa: FBT001
    """Queues, pools and workers; whether what runs is what the file says.

    Exit code 1 when no supervisor runs.
    """
    plan, error = at_work(file, config_)
    if watch and not as_json and sys.stdout.isatty():
        asyncio.run(live(plan, error))
        return
    while True:
        snapshot = asyncio.run(look(plan, error))
        show(snapshot, plan, as_json=as_json)
        if not watch:
            ctx.exit(OK if snapshot.live else REFUSED)
        time.sleep(PLAIN_SECONDS)
        plan, error = at_work(file, config_)


async def look(plan: Plan, file_error: str | None = None) -> Snapshot:
    """One picture; see `take`. An embedded broker that does not run is no error: then nothing runs."""
    from pipeline.broker import parse
    from pipeline.state import broker_url
    from pipeline.status.snapshot import nothing_runs, take
    from pipeline.store.connect import connect

    try:
        connection = await connect(parse(broker_url(plan)))
    except BrokerUnavailable:
        if plan.broker.url != "embedded":
            raise
        return nothing_runs(plan)
    try:
        return await take(connection, plan, file_error)
    finally:
        connection.close()


def show(snapshot: Snapshot, plan: Plan, *, as_json: bool) -> None:
    """Print the picture."""
    if as_json:
        print_json(snapshot.as_json())
        return
    from pipeline.status.terminal import status as drawn

    out = console()
    out.print(drawn(snapshot, out.width, short(plan.file)))


def short(file: str) -> str:
    """The file as a person in this folder would type it."""
    from pipeline.status.disk import nearby

    return str(nearby(file))


async def live(plan: Plan, file_error: str | None) -> None:
    """The live view, until q or Ctrl-C."""
    from pipeline.cli.live import Screen
    from pipeline.status.feed import Feed
    from pipeline.status.terminal import View

    feed, view, stop = Feed(plan, file_error), View(plan.name, "q quits"), asyncio.Event()
    try:
        with keys(stop), Screen(view) as screen:
            while not stop.is_set():
                view.show(await feed.look())
                screen.draw()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), FRAME_SECONDS)
    finally:
        feed.close()


@contextlib.contextmanager
def keys(stop: asyncio.Event) -> Iterator[None]:
    """Keys are read one by one while the block lasts; q sets `stop`. The terminal is left as it was."""
    import os
    import termios
    import tty

    if not sys.stdin.isatty():
        yield
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def pressed() -> None:
        if os.read(fd, 64) in (b"q", b"Q", b"\x1b", b""):
            stop.set()

    loop = asyncio.get_running_loop()
    tty.setcbreak(fd)
    loop.add_reader(fd, pressed)
    try:
        yield
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
