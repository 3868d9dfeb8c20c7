"""The command line: which commands there are, and the one place where every error becomes text and an exit code.

Commands are imported when they are called, so that a short one starts fast.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, NoReturn

import click

from pipeline.cli.output import print_error, print_usage_error
from pipeline.cli.project import takes_profile
from pipeline.errors import BrokerDenied, BrokerUnavailable, PipelineError, StartError

OK, REFUSED, USAGE, BROKER_AWAY, DENIED, BAD_CONFIG, INTERRUPTED = 0, 1, 2, 69, 77, 78, 130
TRACEBACK = "PIPELINE_TRACEBACK"
COMMANDS = {
    "init": "init:init",
    "validate": "validate:validate",
    "run": "run:run",
    "status": "status:status",
    "plan": "plan:plan",
    "history": "history:history",
    "reload": "reload:reload",
    "rollback": "reload:rollback",
    "restart": "reload:restart",
    "stop": "reload:stop",
    "quiet": "reload:quiet",
    "enqueue": "enqueue:enqueue",
    "jobs": "jobs:jobs",
    "dead": "dead:dead",
    "tail": "tail:tail",
    "metrics": "metrics:metrics",
    "lanes": "lanes:lanes",
    "schedules": "schedules:schedules",
    "alerts": "alerts:alerts",
    "webhooks": "webhooks:webhooks",
    "flows": "flows:flows",
    "pause": "queue:pause",
    "resume": "queue:resume",
    "scale": "scale:scale",
    "reset": "scale:reset",
    "purge": "queue:purge",
    "config": "config:config",
    "schema": "config:schema",
    "test": "test:test",
    "explain": "explain:explain",
    "broker": "broker:broker",
    "doctor": "doctor:doctor",
    "password": "password:password",
    "token": "password:token",
    "completion": "completion:completion",
}


class Commands(click.Group):
    """A group that answers an unknown command with the near one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from pipeline.config.suggest import did_you_mean

            near = did_you_mean(args[0], self.list_commands(ctx))
            ctx.fail(f"no command {args[0]!r}" + (f": {near}" if near else ""))
        return super().resolve_command(ctx, args)


class Pipeline(Commands):
    """The whole program."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """In the order in which a person needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"pipeline.cli.{module}"), name)
        return command

    def main(self, args: Sequence[str] | None = None, *positional: Any, **extra: Any) -> NoReturn:
        """Run, and end the process with the exit code of the contract. No traceback reaches a user."""
        given = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a payload may hold what a terminal's encoding cannot
        extra["standalone_mode"] = False
        sys.exit(self._run(given, *positional, **extra))

    def _run(self, args: list[str], *positional: Any, **extra: Any) -> int:
        as_json = wants_json(args)
        try:
            code = super().main(args, *positional, **extra)
        except click.UsageError as error:
            print_usage_error(error, as_json=as_json)
            return USAGE
        except click.Abort as stop:
            return INTERRUPTED if isinstance(stop.__cause__, KeyboardInterrupt) else REFUSED
        except PipelineError as error:
            print_error(error, as_json=as_json)
            return exit_code(error)
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            print_error(unexpected(error), as_json=as_json)
            return REFUSED
        return code if isinstance(code, int) else OK


def wants_json(args: Sequence[str]) -> bool:
    """Whether a program reads the answer, also when the rest of the command line makes no sense."""
    return not {"--json", "--format=json"}.isdisjoint(args) or ("--format", "json") in pairwise(args)


def exit_code(error: PipelineError) -> int:
    """What the process ends with."""
    if isinstance(error, StartError):
        return error.exit_code
    if isinstance(error, BrokerDenied):
        return DENIED
    return BROKER_AWAY if isinstance(error, BrokerUnavailable) else REFUSED


def unexpected(error: Exception) -> PipelineError:
    """An error of ours, or of the system, for people."""
    if isinstance(error, OSError):
        return PipelineError(str(error))
    return PipelineError(
        f"this should not happen: {type(error).__name__}: {error}",
        f"please report it; {TRACEBACK}=1 shows where it comes from",
    )


@click.group(cls=Pipeline, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", "config_", metavar="FILE", help="The config file, for any command.")
@takes_profile
@click.version_option(package_name="pipeline-queues", prog_name="pipeline")
@click.pass_context
def main(ctx: click.Context, config_: str | None) -> None:
    """Job queues declared in a file.

    Most commands find the file by themselves: $PIPELINE_CONFIG, the one that runs here, the only one in
    configs/, or pipeline.yaml.
    """
    ctx.obj = config_
