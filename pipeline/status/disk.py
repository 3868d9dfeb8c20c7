"""The file on disk, for those who look at a project for long: it may be edited meanwhile."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.findings import Finding, render
from pipeline.config.inputs import fingerprint
from pipeline.errors import ConfigError
from pipeline.plan import Plan


class Disk:
    """What the file says now; `plan` is what it last said without a mistake, `error` its first mistake."""

    def __init__(self, plan: Plan, error: str | None = None) -> None:
        self.plan = plan
        self.error = error
        self._inputs = plan.inputs
        self._seen: str | None = None

    def look(self) -> None:
        """Read it again if anything of it changed. Takes a third of a second then; never raises."""
        now = fingerprint(self._inputs)
        if now == self._seen:
            return
        from pipeline.config.load import load, refusal

        self._seen = now
        loaded = load(nearby(self.plan.file), profile=self.plan.profile)
        if loaded.plan is not None:
            self.plan, self.error = loaded.plan, None
        else:
            self.error = first_mistake(refusal(loaded))
        if loaded.inputs != self._inputs:
            # What the new ones held when they were read is not known.
            self._inputs, self._seen = loaded.inputs, None


def nearby(file: str | Path) -> Path:
    """The file as a person in this folder would type it."""
    path = Path(file)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def first_mistake(error: ConfigError) -> str:
    """The first mistake in one line: where, and what."""
    first = next(
        (one for one in error.findings if isinstance(one, Finding) and one.severity == "error"), None
    )
    return render([first]).split("\n", 1)[0] if first else error.message
