"""What a shell completes: the names that the project's file holds. Nothing is completed when it cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.config.tree import Path


def queue_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The queues of the file; in a list with commas the last one is completed."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _names(ctx, ("queues",), last)]


def job_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The job names of the queue that was given before."""
    return _names(ctx, ("queues", str(ctx.params.get("queue")), "jobs"), incomplete)


def schedule_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The schedules of the file."""
    return _names(ctx, ("schedules",), incomplete)


def webhook_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The webhooks of the file."""
    return _names(ctx, ("webhooks",), incomplete)


def flow_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The flows of the file."""
    return _names(ctx, ("flows",), incomplete)


def profile_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The profiles of the file."""
    return _names(ctx, ("profiles",), incomplete)


def code_or_path(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Codes of findings, and paths of keys with the names of the file in them."""
    from pipeline.config.codes import ALL
    from pipeline.config.keys import keys

    if incomplete[:1] in ("P", "p") and not incomplete[1:2].isalpha():
        return _beginning(ALL, incomplete.upper())
    paths = list(keys())
    for queue in queue_names(ctx, param, "") if incomplete.startswith("queues.") else ():
        paths += [f"queues.{queue}{path.removeprefix('queues.*')}" for path in keys() if "queues.*" in path]
    return _beginning(paths, incomplete)


def _beginning(names: Iterable[str], begin: str) -> list[str]:
    return sorted(name for name in names if name.startswith(begin))


def _names(ctx: click.Context, path: Path, begin: str) -> list[str]:
    """The keys of the map at `path`, as they are written: a variable that is not set, or a mistake, is no hindrance."""
    from pipeline.config.find import find_file
    from pipeline.config.include import Files
    from pipeline.config.report import Report, TooManyErrors
    from pipeline.config.tree import Mapping, find

    given = ctx.params.get("file") or ctx.params.get("config_") or ctx.find_root().params.get("config_")
    try:
        file = find_file(given, os.environ)
        tree = Files(file, os.environ, Report(str(file))).read()
    except (ConfigError, TooManyErrors):
        return []
    names = find(tree, path)
    return _beginning(names.entries if isinstance(names, Mapping) else (), begin)
