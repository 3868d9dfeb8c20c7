"""Which project a command means, and the way to its broker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.names import profile_names, queue_names
from pipeline.cli.types import duration
from pipeline.errors import ConfigError, PipelineError, UnknownQueue

if TYPE_CHECKING:
    from pipeline.plan import Plan
    from pipeline.store.blocking import BlockingConnection
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
lasts = click.option("--for", "last", type=duration, metavar="DURATION", help="End it after 30s, 1h30m, 7d.")
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


def at_work(file: str | None, config: str | None) -> tuple[Plan, str | None]:
    """The plan to look at a project with, or to lay hands on it, while it runs; and the first mistake of its file.

    What runs here says which broker and project it is, whatever became of the file since; and everything else
    while the file has mistakes. Raises ConfigError when it has some and nothing runs here.
    """
    from msgspec.structs import replace

    from pipeline.status.disk import first_mistake, nearby

    path = nearby(find(file, config))
    running = _running(path)
    try:
        plan = _written(path)
    except ConfigError as error:
        if running is None:
            raise
        return running, first_mistake(error)
    return (replace(plan, name=running.name, broker=running.broker) if running else plan), None


def _written(path: Path) -> Plan:
    """The plan of the file. A secret that is not set in this shell is no matter of ours. Raises ConfigError."""
    try:
        return plan_of(str(path), None)
    except ConfigError:
        from pipeline.config.load import load, refusal

        loaded = load(path, profile=profile_of(path))
        if loaded.plan is None:
            raise refusal(loaded) from None
        return loaded.plan


def _running(file: Path) -> Plan | None:
    """The plan of this file that a supervisor runs, as far as one answers."""
    from msgspec import MsgspecError

    from pipeline.config.find import root_of
    from pipeline.control import running_plan

    # Another user's supervisor, one of another version, or one that stands still: the file has to do.
    with suppress(PipelineError, OSError, MsgspecError):
        return running_plan(root_of(file), file)
    return None


@contextmanager
def connected(plan: Plan) -> Iterator[BlockingConnection]:
    """A connection to the project's broker; an embedded one that does not run is started meanwhile.

    Raises BrokerUnavailable, or BrokerUnfit when a newer version of this program has been there.
    """
    from pipeline.broker import parse
    from pipeline.store import layout
    from pipeline.store.call import run_blocking
    from pipeline.store.connect import connect_blocking
    from pipeline.supervisor.embedded import open_broker

    with open_broker(plan, start=True) as url:
        connection = connect_blocking(parse(url), timeout=30.0)
        try:
            layout.check(run_blocking(connection, layout.of(plan.name)), plan.name)
            yield connection
        finally:
            connection.close()


@contextmanager
def operator(config: str | None, queue: str) -> Iterator[Operator]:
    """A person's hands on a queue. Raises ConfigError, BrokerUnavailable, UnknownQueue."""
    from pipeline.store.operator import Operator

    plan, _ = at_work(None, config)
    with connected(plan) as connection:
        check_queue(connection, plan, queue)
        yield Operator(connection, plan.name, queue, plan.queues.get(queue))


def check_queue(connection: Any, plan: Plan, queue: str) -> None:
    """Raises UnknownQueue, with near names, for a queue that neither the file nor the broker knows."""
    from pipeline.config.suggest import did_you_mean
    from pipeline.store.call import run_blocking
    from pipeline.store.reader import queue_names

    if queue not in plan.queues:
        known = {*plan.queues, *run_blocking(connection, queue_names(plan.name))}
        if queue not in known:
            raise UnknownQueue(f"there is no queue {queue!r} in {plan.name}", did_you_mean(queue, known))


def root(config: str | None) -> Path:
    """The root of the project that is meant. Its file may have mistakes. Raises ConfigError when there is none."""
    from pipeline.config.find import root_of

    return root_of(find(None, config))
