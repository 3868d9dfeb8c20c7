"""Jobs as people and programs read them: a list, and one in full."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.output import console, harmless

if TYPE_CHECKING:
    from pipeline.store.reader import JobView

STYLES = {"dead": "red", "active": "cyan", "completed": "green", "delayed": "yellow", "cancelled": "dim"}


def print_jobs(jobs: list[JobView]) -> None:
    """A table, one job a row."""
    from rich.table import Table
    from rich.text import Text

    from pipeline.status.text import clean

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("id", "job", "state"):
        table.add_column(name, no_wrap=True)
    table.add_column("attempt", no_wrap=True, justify="right")
    table.add_column("enqueued", no_wrap=True)
    table.add_column("error or payload", no_wrap=True, overflow="ellipsis")
    for job in jobs:
        state = Text(job.state, STYLES.get(job.state, ""))
        attempt = f"{job.attempt}/{job.attempts}"
        table.add_row(
            job.id, Text(clean(job.name)), state, attempt, when(job.enqueued_at), Text(clean(about(job)))
        )
    console().print(table)


def about(job: JobView) -> str:
    """What is worth knowing of a job in a list: why it failed, or what it is about."""
    if job.error is not None:
        return f"{job.error.type}: {job.error.message}" if job.error.message else job.error.type
    return to_json(job.data)


def print_job(job: JobView) -> None:
    """Everything kept of one job."""
    for name, value in facts(job):
        click.echo(f"{click.style(f'{name:<12}', dim=True)}{harmless(value)}")
    for title, text in sections(job):
        click.echo(f"\n{click.style(title, bold=True)}\n{textwrap.indent(harmless(text), '  ')}")
    if job.state in ("dead", "cancelled"):
        click.echo(f"\nrun it again: pipeline jobs retry {job.queue} {job.id}")


def facts(job: JobView) -> Iterator[tuple[str, str]]:
    """The short values, as name and text."""
    yield "job", f"{job.queue} {job.name} {job.id}"
    yield "state", job.state + (f", held by {job.worker}" if job.worker else "")
    yield "attempt", f"{job.attempt} of {job.attempts}" + (f", {job.crashes} crashes" if job.crashes else "")
    if (letter := job.dead_letter) is not None:
        yield "copy of", f"{letter.queue} {letter.id}, dead at attempt {letter.attempt}"
    if job.priority:
        yield "priority", str(job.priority)
    if job.lane is not None:
        yield "lane", job.lane
    if job.key:
        yield "key", job.key
    times = {
        "enqueued": job.enqueued_at,
        "due": job.due_at,
        "started": job.started_at,
        "finished": job.finished_at,
    }
    for name, at in times.items():
        if at is not None:
            yield name, when(at)
    if job.progress is not None:
        yield "progress", to_json(job.progress)


def sections(job: JobView) -> Iterator[tuple[str, str]]:
    """The long values, as title and text."""
    yield "payload", to_json(job.data, indent=2)
    if job.result is not None:
        yield "result", to_json(job.result, indent=2)
    earlier = job.errors[:-1] if job.state == "dead" else job.errors
    for error in earlier:
        yield f"attempt {error.attempt} failed at {when(error.at)}", f"{error.type}: {error.message}"
    if job.error is not None:
        yield "error", f"{job.error.type}: {job.error.message}\n{job.error.traceback or ''}".rstrip()
    if (letter := job.dead_letter) is not None:
        yield f"why {letter.queue} {letter.id} died", f"{letter.error.type}: {letter.error.message}"
    if job.logs:
        yield "log", "\n".join(job.logs)


def when(at: int) -> str:
    """A time of the broker as the local clock says it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1000))


def to_json(value: Any, indent: int = -1) -> str:
    """A value as JSON for people."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=indent).decode()


def full(job: JobView) -> dict[str, Any]:
    """A job as `jobs show --json` prints it."""
    import msgspec

    told = dict(msgspec.to_builtins(job))
    told["errors"] = [dict(zip(type(error).__struct_fields__, error_values, strict=True))
                      for error, error_values in zip(job.errors, told["errors"], strict=True)]  # fmt: skip
    return told


def brief(job: JobView) -> dict[str, Any]:
    """A job as a list holds it: without logs and tracebacks."""
    told = full(job)
    del told["logs"], told["errors"]
    if told["error"] is not None:
        del told["error"]["traceback"]
    return told
