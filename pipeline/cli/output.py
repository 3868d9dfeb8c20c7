"""How commands speak: JSON or text to standard output, errors with what to do, questions before bulk actions."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from rich.console import Console

UNLIMITED = 10_000


def print_json(value: Any) -> None:
    """One JSON value: a line for programs, indented for people."""
    import msgspec

    text = msgspec.json.encode(value)
    click.echo(msgspec.json.format(text, indent=2) if sys.stdout.isatty() else text)


def print_error(error: PipelineError, *, as_json: bool) -> None:
    """An error with what to do about it."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "help": error.help or None}})
        return
    if isinstance(error, ConfigError) and error.findings:
        from pipeline.config.findings import render

        click.echo(render(error.findings, color=sys.stderr.isatty()) + "\n", err=True)  # type: ignore[arg-type]
    click.echo(click.style("error", fg="red", bold=True) + f": {harmless(error.message)}", err=True)
    if error.help:
        click.echo(f"  {click.style('help', bold=True)}: {harmless(error.help)}", err=True)


def print_usage_error(error: click.UsageError, *, as_json: bool) -> None:
    """A command that was typed wrongly."""
    if as_json:
        help = f"see {error.ctx.command_path} --help" if error.ctx else None
        print_json({"error": {"code": "usage", "message": error.format_message(), "help": help}})
    else:
        error.show()


def harmless(text: str) -> str:
    """Text of a job or a server with the characters that steer a terminal written out; lines stay."""
    from pipeline.status.text import clean

    return "\n".join(clean(line) for line in text.split("\n"))


def console(*, err: bool = False) -> Console:
    """A rich console that never cuts what a program reads."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else UNLIMITED
    return Console(stderr=err, width=width, highlight=False, markup=False, emoji=False)


class Refused(PipelineError):
    """A person said no, or could not be asked."""

    code = "not_confirmed"


def confirm(question: str, *, yes: bool) -> None:
    """Ask before a bulk action. Raises Refused; never asks a program."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{question} Nobody can be asked here", "give --yes to go ahead")
    if not click.confirm(question):
        raise Refused("nothing was changed")


@contextmanager
def until_interrupted() -> Iterator[Callable[[], bool]]:
    """Ctrl-C does not cut short what the block does: the callback tells that it came. The second one does."""
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while the block lasts, when a person watches; the callback gets the advance."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(err=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)
