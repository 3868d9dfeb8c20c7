"""`pipeline password` and `pipeline token`: what people and programs show to the web process."""

from __future__ import annotations

import sys

import click

from pipeline.cli.project import at_work, takes_file
from pipeline.errors import PipelineError

SHORTEST = 8


@click.command(short_help="Hash a password for `http.users`.")
def password() -> None:
    """Ask for a password, and print the hash of it for `http.users.<name>.password`.

    Without a terminal the password is the first line of standard input. Nothing is stored.
    """
    from pipeline.passwords import LONGEST, hashed

    if sys.stdin.isatty():
        given = click.prompt("password", hide_input=True, confirmation_prompt="once more", err=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if not SHORTEST <= len(given) <= LONGEST:
        raise PipelineError(f"a password has {SHORTEST} to {LONGEST:,} characters")
    click.echo(hashed(given))


@click.command(short_help="A new token to sign in with.")
@takes_file
def token(file: str | None, config_: str | None) -> None:
    """Print a new token for the web process, in the place of the one that its first start printed.

    The one before counts no more, and its sessions end. Where the file has `http.users`, `http.tokens` or a proxy
    with a `header`, no such token counts.
    """
    from pipeline.plan import HttpPlan
    from pipeline.web.keyring import new_token
    from pipeline.web.tokens import needs_first

    plan, _ = at_work(file, config_)
    if not needs_first(plan.web or HttpPlan()):
        raise PipelineError(
            "the file says who may sign in, so this token would not count", "see `http` in it"
        )
    click.echo(new_token(plan.root))
