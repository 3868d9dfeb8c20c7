"""`pipeline explain`: what a finding means, what a key takes, and what holds in the file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from pipeline.cli.names import code_or_path
from pipeline.cli.project import find, profile_of, takes_config
from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from pipeline.config.keys import Key
    from pipeline.config.load import Loaded
    from pipeline.config.tree import Path
    from pipeline.policy import RetryPolicy

WIDTH = 100
MOST_PAUSES = 12
CHANGES = {
    "hot": "hot: running workers take it over between two jobs",
    "rolling": "rolling: the pool's processes are replaced one at a time",
    "restart": "restart: a reload refuses it; it needs a new `pipeline run`",
}


@click.command(short_help="What a finding or a key means.")
@click.argument("what", metavar="CODE|PATH", shell_complete=code_or_path)
@takes_config
def explain(what: str, config_: str | None) -> None:
    """What the CODE of a finding means, or what the key at PATH takes.

    For instance P101, queues.*.retry, or queues.emails.retry: that also tells what holds in the file.
    """
    if re.fullmatch(r"[A-Za-z]\d+", what):
        click.echo(f"{bold(what.upper())}\n{textwrap.fill(meaning(what.upper()), WIDTH)}")
        return
    loaded = None if "*" in what else _load(config_)
    path = steps_of(what, loaded)
    for line in [*about(key_at(path, what)), *(held(path, loaded) if loaded else ())]:
        click.echo(line)


def bold(text: str) -> str:
    return click.style(text, bold=True)


def meaning(code: str) -> str:
    """What a code means. Raises PipelineError with the near one."""
    from pipeline.config.codes import ALL
    from pipeline.config.suggest import near

    if code in ALL:
        return ALL[code]
    guess = near(code, ALL)
    help = f"did you mean {guess}?" if guess else f"codes run from {min(ALL)} to {max(ALL)}"
    raise PipelineError(f"no finding has the code {code!r}", help)


def _load(config: str | None) -> Loaded | None:
    """What the project's file says, if there is one."""
    from pipeline.config.load import load

    try:
        path = find(None, config)
    except ConfigError:
        return None
    return load(path, profile=profile_of(path))


def steps_of(what: str, loaded: Loaded | None) -> Path:
    """The steps of a path: a name of the file may hold dots itself."""
    if loaded is not None and loaded.config is not None:
        named: dict[str, Mapping[str, object]] = {
            "queues": loaded.config.queues,
            "retries": loaded.config.retries,
            "pools": loaded.config.pools,
        }
        for block, names in named.items():
            for name in names:
                if f"{what}.".startswith(f"{block}.{name}."):
                    rest = what[len(block) + len(name) + 2 :]
                    return (block, name, *(rest.split(".") if rest else ()))
    return tuple(what.split("."))


def key_at(path: Path, what: str) -> Key:
    """The key at a path. Raises PipelineError with the near one."""
    from pipeline.config import keys

    found = keys.find(path)
    if found is None:
        near = keys.near_path(path)
        help = f"did you mean {near}?" if near else "see `pipeline schema` for all of them"
        raise PipelineError(f"no key has the path {what!r}", help)
    return found


def about(key: Key) -> list[str]:
    """A key for people."""
    name = key.path.rpartition(".")[2]
    told = {
        "takes": key.takes,
        "default": "it must be given" if key.required else key.default or "none",
        "change": CHANGES[key.change],
        "example": (
            f"- {key.example}" if key.path == "tests.*" else f"{name.replace('*', 'NAME')}: {key.example}"
        )
        if key.example
        else None,
        "keys": ", ".join(key.below) or None,
    }
    lines = [bold(key.path), textwrap.fill(key.description, WIDTH), ""]
    for label, text in told.items():
        if text is not None:
            lines += textwrap.wrap(f"{label:<9}{text}", WIDTH, subsequent_indent=" " * 9)
    return lines


def held(path: Path, loaded: Loaded) -> list[str]:
    """What holds at `path` in the file, and where each value was written."""
    from pipeline.config.show import at
    from pipeline.config.suggest import did_you_mean

    if loaded.config is None or loaded.plan is None:
        return ["", f"{loaded.file} has mistakes: see `pipeline validate {loaded.file}`"]
    lines = at(loaded, path)
    if not lines:
        names = getattr(loaded.config, str(path[0]), None)
        if len(path) > 1 and isinstance(names, dict) and path[1] not in names:
            near = did_you_mean(str(path[1]), names)
            return ["", f"{loaded.file} has no {path[0]}.{path[1]}" + (f": {near}" if near else "")]
        return []
    width = min(60, max(len(text) for text, _ in lines))
    shown = [f"  {text:<{width}}  # {place}" if place else f"  {text}" for text, place in lines]
    policy = policy_at(path, loaded)
    return ["", f"in {loaded.file}:", *shown, *([f"  {curve(policy)}"] if policy else [])]


def policy_at(path: Path, loaded: Loaded) -> RetryPolicy | None:
    """The retry policy that `path` names."""
    from pipeline.config.resolve import retry_of

    if loaded.config is None or loaded.plan is None:
        return None
    if path[0] == "retries" and len(path) == 2:
        return retry_of(loaded.config.retries[str(path[1])])
    if path[0] != "queues" or path[-1] != "retry":
        return None
    queue = loaded.config.queues[str(path[1])]
    return retry_of((queue.jobs[str(path[3])] if len(path) == 5 else queue).retry)


def curve(policy: RetryPolicy) -> str:
    """Every pause of a policy, and when a job is dead at the latest."""
    from pipeline import units
    from pipeline.retry import pauses

    every = pauses(policy)
    if not every:
        return "one attempt: dead when it fails"
    told = ", ".join(units.words(pause) for pause in every[:MOST_PAUSES])
    more = ", ..." if len(every) > MOST_PAUSES else ""
    return f"{told}{more}: dead after {units.words(sum(every))} at the latest, and what the attempts take"
