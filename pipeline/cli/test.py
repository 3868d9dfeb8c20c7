"""`pipeline test`: the policy tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.app import OK, REFUSED
from pipeline.cli.output import print_json
from pipeline.cli.project import as_json as json_flag
from pipeline.cli.project import find, profile_of, takes_file

if TYPE_CHECKING:
    from pipeline.config.load import Loaded
    from pipeline.config.policy_tests import Chains, Result


@click.command(short_help="Run the policy tests of the file.")
@takes_file
@click.option("--no-import", is_flag=True, help="Do not import exceptions: only their own names count.")
@json_flag
@click.pass_context
def test(ctx: click.Context, file: str | None, config_: str | None, no_import: bool, as_json: bool) -> None:  # noqa: FBT001
    """Run the `tests:` of FILE on a virtual clock: no broker, no handler, no waiting.

    Exit code 1 when one of them fails.
    """
    from pipeline.config.load import load, refusal
    from pipeline.config.policy_tests import run

    path = find(file, config_)
    loaded = load(path, profile=profile_of(path))
    if loaded.config is None:
        raise refusal(loaded)
    results = list(run(loaded, {} if no_import else _chains(loaded)))
    failed = sum(not result.passed for result in results)
    if as_json:
        print_json({"passed": len(results) - failed, "failed": failed, "tests": results})
    else:
        for result in results:
            _show(result)
        click.echo(_summary(path.name, len(results), failed))
    ctx.exit(REFUSED if failed else OK)


def _chains(loaded: Loaded) -> Chains:
    """What is known of the exceptions that the tests raise. Raises ConfigError when one cannot be imported."""
    from pipeline.config.handlers import chains
    from pipeline.errors import ConfigError

    findings, found = chains(loaded)
    if findings:
        help = "--no-import compares only the names"
        raise ConfigError("what the tests raise cannot be imported", findings, help)
    return found


def _show(result: Result) -> None:
    from pipeline.config.policy_tests import words

    if result.passed:
        click.echo(f"{click.style('ok', fg='green')}    {result.name}")
        return
    place = f"{result.file}:{result.line}"
    click.echo(f"{click.style('FAIL', fg='red', bold=True)}  {result.name}  {click.style(place, dim=True)}")
    for name, expected in result.expected.items():
        if (got := result.got[name]) != expected:
            click.echo(f"        {name}: expected {words(name, expected)}, got {words(name, got)}")


def _summary(file: str, count: int, failed: int) -> str:
    if not count:
        return f"{file} has no tests: write them under `tests`, see `pipeline explain tests`"
    return f"{count - failed} passed" + (f", {failed} failed" if failed else "")
