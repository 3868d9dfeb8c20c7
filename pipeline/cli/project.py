"""Which project a command means, and the way to its broker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.names import profile_names, queue_names
from pipeline.errors import UnknownQueue

if TYPE_CHECKING:
    from pipeline.plan import Plan
    from pipeline.store.operator import Operator

Command = TypeVar("Command", bound=Callable[..., Any])
_PROFILE = "pipeline.profile"


def takes_profile(command: Command) -> Command:
    """Adds `--profile NAME`. The command has no parameter for it: it asks `profile_of`."""
    return click.option(
        "--profile",
        metavar="NAME",
        shell_complete=profile_names,
        expose_value=False,
        callback=_remember,
        help="The profile that is laid over the file.",
    )(command)


def _remember(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    if name is not None:
        ctx.meta[_PROFILE] = name


def takes_config(command: Command) -> Command:
    """Adds `--config FILE` and `--profile NAME`."""
    return click.option("--config", "config_", metavar="FILE", type=click.Path(), help="The config file.")(
        takes_profile(command)
    )


def takes_file(command: Command) -> Command:
    """Adds the optional argument FILE, `--config FILE` and `--profile NAME`."""
    return click.argument("file", required=False, type=click.Path())(takes_config(command))


takes_queue = click.argument("queue", shell_complete=queue_names)
as_json = click.option("--json", "as_json", is_flag=True, help="JSON for programs.")
yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def find(file: str | None, config: str | None) -> Path:
    """The config file that is meant. Raises ConfigError."""
    from pipeline.config.find import find_file

    context = click.get_current_context(silent=True)
    return find_file(file or config or (context.find_root().obj if context else None), os.environ)


def profile_of(file: Path) -> str | None:
    """The profile that is meant for a config file: --profile, $PIPELINE_PROFILE, or the one that it runs with."""
    from pipeline.config.find import find_profile

    context = click.get_current_context(silent=True)
    return find_profile(context.meta.get(_PROFILE) if context else None, os.environ, file)


def plan_of(file: str | None, config: str | None) -> Plan:
    """The plan of the project. Raises ConfigError with every finding."""
    from pipeline.cli.cache import plan_of_file

    path = find(file, config)
    return plan_of_file(path, profile_of(path))


@contextmanager
def operator(config: str | None, queue: str) -> Iterator[Operator]:
    """A person's hands on a queue; an embedded broker that does not run is started meanwhile.

    Raises ConfigError, BrokerUnavailable, UnknownQueue.
    """
    from pipeline.store.operator import Operator
    from pipeline.store.wire import BlockingConnection, parse
    from pipeline.supervisor.embedded import open_broker

    plan = plan_of(None, config)
    with open_broker(plan, start=True) as url:
        connection = BlockingConnection(parse(url), timeout=30.0)
        try:
            check_queue(connection, plan, queue)
            yield Operator(connection, plan.name, queue, plan.queues.get(queue))
        finally:
            connection.close()


def check_queue(connection: Any, plan: Plan, queue: str) -> None:
    """Raises UnknownQueue, with near names, for a queue that neither the file nor the broker knows."""
    from pipeline.config.suggest import did_you_mean
    from pipeline.store.reader import queue_names
    from pipeline.store.store import run_blocking

    if queue not in plan.queues:
        known = {*plan.queues, *run_blocking(connection, queue_names(plan.name))}
        if queue not in known:
            raise UnknownQueue(f"there is no queue {queue!r} in {plan.name}", did_you_mean(queue, known))


def root(config: str | None) -> Path:
    """The root of the project that is meant. Its file may have mistakes. Raises ConfigError when there is none."""
    from pipeline.config.find import root_of

    return root_of(find(None, config))
