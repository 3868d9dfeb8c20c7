"""`pipeline config show` and `schema`: what the file means, and what may stand in it."""

from __future__ import annotations

import json

import click

from pipeline.cli.app import Commands
from pipeline.cli.names import queue_names
from pipeline.cli.project import find, profile_of, takes_file
from pipeline.errors import UnknownQueue


@click.group(cls=Commands)
def config() -> None:
    """What the file means."""


@config.command()
@takes_file
@click.option("--origin", is_flag=True, help="Tell where each value was written.")
@click.option("--queue", shell_complete=queue_names, help="Only this queue.")
def show(file: str | None, config_: str | None, origin: bool, queue: str | None) -> None:  # noqa: FBT001
    """The effective config, with every default. Passwords and secrets are hidden."""
    from pipeline.config.load import load, refusal
    from pipeline.config.show import effective
    from pipeline.config.suggest import did_you_mean

    path = find(file, config_)
    loaded = load(path, profile=profile_of(path))
    if loaded.config is None:
        raise refusal(loaded)
    if queue is not None and queue not in loaded.config.queues:
        raise UnknownQueue(
            f"there is no queue {queue!r} in {path}", did_you_mean(queue, loaded.config.queues)
        )
    click.echo(effective(loaded, queue, origin=origin), nl=False)


@click.command()
def schema() -> None:
    """The JSON Schema of the config file, for editors."""
    from pipeline.config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
