"""`pipeline validate`: every finding of one or more files at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pipeline.cli.app import OK, REFUSED
from pipeline.cli.output import print_json
from pipeline.cli.project import find, profile_of, takes_config
from pipeline.errors import BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from pipeline.config.findings import Finding
    from pipeline.config.load import Loaded
    from pipeline.config.secrets import Need
    from pipeline.doctor.check import Check
    from pipeline.plan import Plan

Format = Literal["text", "json", "github"]


@click.command(short_help="Check files: every mistake at once.")
@click.argument("files", nargs=-1, type=click.Path())
@click.option("--connect", is_flag=True, help="Look at the broker too: version, eviction, durability.")
@click.option("--no-import", is_flag=True, help="Do not import the handlers.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option(
    "--format", "format_", type=click.Choice(("text", "json", "github")), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@takes_config
@click.pass_context
def validate(
    ctx: click.Context,
    files: tuple[str, ...],
    connect: bool,  # noqa: FBT001
    no_import: bool,  # noqa: FBT001
    strict: bool,  # noqa: FBT001
    format_: Format,
    as_json: bool,  # noqa: FBT001
    config_: str | None,
) -> None:
    """Check FILES: all mistakes at once, with their place and what to do.

    Files that they include are checked with them, and so is every profile. Handlers are imported in a process of
    their own, with a time limit. Exit code 1 when there are errors.
    """
    from pipeline.config.load import load

    paths = [Path(file) for file in files] or [find(None, config_)]
    findings: dict[Finding, None] = {}  # two files may include the same third one
    notes: list[str] = []
    for path in paths:
        need: Need = "required" if connect else "noted"
        loaded = load(path, profile=profile_of(path), secrets=need, every_profile=True)
        found, skipped = examine(loaded, connect=connect, imports=not no_import)
        found = [raised(one) for one in found] if strict else found
        findings |= dict.fromkeys(found)
        notes.append(summary(path, loaded, found, skipped))
    show(list(findings), notes, "json" if as_json else format_)
    ctx.exit(REFUSED if any(finding.severity == "error" for finding in findings) else OK)


def examine(loaded: Loaded, *, connect: bool, imports: bool) -> tuple[list[Finding], list[str]]:
    """All findings of a file, and what was not looked at."""
    from pipeline.config import handlers

    found, skipped = list(loaded.findings), []
    if imports and loaded.plan is not None:
        found += handlers.check(loaded)
    else:
        skipped.append("handlers" if imports else "handlers (--no-import)")
    if connect and loaded.plan is not None:
        found += look_at_broker(loaded, loaded.plan)
    else:
        skipped.append("the broker" if connect else "the broker (--connect)")
    return found, skipped


def look_at_broker(loaded: Loaded, plan: Plan) -> Iterator[Finding]:
    """Findings about the broker itself, at the place of its address."""
    from pipeline.broker import parse
    from pipeline.store.connect import connect
    from pipeline.supervisor.binary import find_server
    from pipeline.supervisor.fitness import inspect

    async def ask() -> tuple[Check, ...]:
        connection = await connect(parse(plan.broker.url))
        try:
            return (await inspect(connection, plan.broker)).warnings
        finally:
            connection.close()

    try:
        if plan.broker.url == "embedded":
            find_server()
            return
        for warning in asyncio.run(ask()):
            yield at_broker(loaded, "warning", "P603", warning.sentence, warning.help)
    except BrokerError as error:
        code = "P601" if isinstance(error, BrokerUnavailable) else "P602"
        yield at_broker(loaded, "error", code, error.message, error.help)


def at_broker(
    loaded: Loaded, severity: Literal["error", "warning"], code: str, message: str, help: str
) -> Finding:
    """A finding at broker.url, or at the top of the file where it is not written."""
    from pipeline.config.tree import TOP

    report = loaded.report()
    tell = report.error if severity == "error" else report.warning
    place = loaded.origins.get("broker.url") or loaded.origins.get("broker.url.secret") or TOP
    tell(code, message, place, ("broker", "url"), help)
    return report.findings[0]


def raised(finding: Finding) -> Finding:
    """A warning as an error."""
    return replace(finding, severity="error") if finding.severity == "warning" else finding


def summary(path: Path, loaded: Loaded, found: list[Finding], skipped: list[str]) -> str:
    """One line about a file."""
    errors = sum(finding.severity == "error" for finding in found)
    warnings = sum(finding.severity == "warning" for finding in found)
    told = [f"{errors} error{'s' * (errors > 1)}"] if errors else ["valid"]
    if warnings:
        told.append(f"{warnings} warning{'s' * (warnings > 1)}")
    if loaded.plan is not None:
        among = f" in {len(loaded.texts)} files" if len(loaded.texts) > 1 else ""
        told.append(f"{len(loaded.plan.queues)} queue{'s' * (len(loaded.plan.queues) > 1)}{among}")
        told += [f"profile {loaded.plan.profile}"] if loaded.plan.profile else []
    return f"{path}: {', '.join(told)}" + (f"; not checked: {', '.join(skipped)}" if skipped else "")


def show(findings: list[Finding], notes: list[str], format_: Format) -> None:
    """Print the findings."""
    from pipeline.config.findings import as_json, render

    if format_ == "json":
        print_json(as_json(findings))
    elif format_ == "github":
        for finding in findings:
            click.echo(annotation(finding))
    else:
        if findings:
            click.echo(render(findings, color=sys.stdout.isatty()) + "\n")
        for note in notes:
            click.echo(note)


def annotation(finding: Finding) -> str:
    """A finding as a GitHub workflow command."""
    kind = "notice" if finding.severity == "note" else finding.severity
    text = finding.message + (f"\nhelp: {finding.help}" if finding.help else "")
    for plain, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(plain, escaped)
    return (
        f"::{kind} file={finding.file},line={finding.line},col={finding.column},title={finding.code}::{text}"
    )
