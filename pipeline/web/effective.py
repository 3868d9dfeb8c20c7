"""What a config file means, told by a process of its own: reading it needs much that the web process does without.

`python -m pipeline.web.effective FILE [PROFILE]` prints an Effective as JSON.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.job import encode
from pipeline.plan import Plan
from pipeline.web.hiding import HIDDEN_VALUE, shows
from pipeline.web.redact import Found, hide
from pipeline.web.veils import rules_in

SECONDS = 20.0


class ConfigLine(Struct, frozen=True):
    """A line of the effective config, and where its value was written; None for the key of a block."""

    text: str
    origin: str | None


class Effective(Struct, frozen=True):
    """The file: what it means, or its mistakes."""

    lines: list[ConfigLine] = []
    error: str | None = None
    plan: Plan | None = None


async def effective_of(file: str, profile: str | None) -> Effective:
    """What the file means now."""
    command = [sys.executable, "-m", "pipeline.web.effective", file, *([profile] if profile else [])]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            told, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return Effective(error=f"{file} could not be read within {SECONDS:.0f} s")
    if process.returncode:
        return Effective(error=f"{file} could not be read: {said.decode(errors='replace')[-500:]}")
    return msgspec.json.decode(told, type=Effective)


def look(file: str, profile: str | None) -> Effective:
    """What the file means, without what is hidden."""
    from pipeline.config.find import root_of
    from pipeline.config.load import load
    from pipeline.config.show import effective_lines
    from pipeline.errors import ConfigError

    root = f"{root_of(Path(file))}/"
    try:
        loaded = load(Path(file), profile=profile)
    except ConfigError as error:
        return Effective(error=error.message)
    if loaded.plan is None:
        # Without the source lines: these may hold what the web does not show.
        mistakes = [one for one in loaded.findings if one.severity == "error"]
        said = (f"{one.file}:{one.line}:{one.column}: {one.message}" for one in mistakes)
        return Effective(error="\n".join(said).replace(root, ""))
    plan = loaded.plan
    lines = [
        ConfigLine(_shown(line.text, line.path, plan), line.origin and line.origin.replace(root, ""))
        for line in effective_lines(loaded)
    ]
    return Effective(lines, plan=plan)


def _shown(text: str, path: tuple[str | int, ...] | None, plan: Plan) -> str:
    if path is None:
        return text
    steps = tuple(map(str, path))
    if steps[0] == "schedules" and steps[2:] == ("data",) and steps[1] in plan.schedules:
        own = plan.schedules[steps[1]]
        shown = hide(own.data, rules_in(plan, own.queue).below.get("data", ()), "data", Found())
        return text.partition(":")[0] + ": " + encode(shown).decode().replace("$", "$$")
    return text if shows(steps) else text.partition(":")[0] + f': "{HIDDEN_VALUE}"'


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(look(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
    )
