"""Import every handler of a config in a child process, with a time limit, and report what cannot be used."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pipeline
from pipeline.config.cases import CaseBlock
from pipeline.config.findings import Finding
from pipeline.config.load import Loaded
from pipeline.config.model import Config, JobSettings
from pipeline.config.policy_blocks import RetryBlock
from pipeline.config.report import Report
from pipeline.config.suggest import near
from pipeline.config.tree import TOP, dotted
from pipeline.config.tree import Path as Steps

# Where our own package lies goes to the end of the path: it is found there only if it is not installed.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from pipeline.config.probe import main; main()"


@dataclass(frozen=True)
class Check:
    kind: Literal["setup", "handler", "around", "class"]
    path: str
    """What is imported; for `around` with the handler that it is around, behind a space."""
    places: tuple[Steps, ...]

    @property
    def module(self) -> str:
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        return self.path.partition(" ")[0].partition(":")[2]


def check(loaded: Loaded, timeout: int | None = None) -> tuple[Finding, ...]:
    """Findings about `setup`, the handlers and the exception classes of a config without errors.

    `timeout` is the time in ms that a run of imports may take, by default `supervisor.import_timeout`. The
    user's code runs in a child process, with the project's root first on its path.
    """
    return _ask(loaded, _checks(loaded), timeout)[0]


def chains(loaded: Loaded) -> tuple[tuple[Finding, ...], dict[str, tuple[str, ...]]]:
    """Findings about the classes that the policy tests of a config raise, and what is known of each.

    That is all of its classes by their names, as a worker reports them: {"errors:Busy": ("errors:Busy",
    "OSError", ...)}.
    """
    raised = [
        one for one in _checks(loaded) if ":" in one.path and any(at[0] == "tests" for at in one.places)
    ]
    setup = [one for one in _checks(loaded) if one.kind == "setup"]
    return _ask(loaded, [*setup, *raised] if raised else (), None)


def _ask(
    loaded: Loaded, checks: Iterable[Check], timeout: int | None
) -> tuple[tuple[Finding, ...], dict[str, tuple[str, ...]]]:
    found: dict[str, tuple[str, ...]] = {}
    plan = loaded.plan
    if plan is None:
        return (), found
    limit = plan.supervisor.import_timeout if timeout is None else timeout
    report = loaded.report()
    left = list(checks)
    while left:
        answered = _Probe(plan.root, left, limit).run()
        found |= answered.chains
        left = _settle(left, answered, loaded, report, limit)
    return report.findings, found


def _checks(loaded: Loaded) -> Iterator[Check]:
    """What to check, setup first, each path once with all of its places in the file."""
    found: dict[tuple[Any, str], list[Steps]] = {}
    for kind, path, steps in _named(loaded.config) if loaded.config else ():
        found.setdefault((kind, path), []).append(steps)
    for (kind, path), places in found.items():
        yield Check(kind, path, tuple(places))


def _named(config: Config) -> Iterator[tuple[str, str, Steps]]:
    if config.setup:
        yield "setup", config.setup, ("setup",)
    for name, queue in config.queues.items():
        settings: list[tuple[Steps, JobSettings, str | None]] = [(("queues", name), queue, queue.handler)]
        settings += [(("queues", name, "jobs", job), own, own.handler) for job, own in queue.jobs.items()]
        for steps, own, handler in settings:
            if handler:
                yield "handler", handler, (*steps, "handler")
                for at, path in enumerate(own.around):
                    yield "around", f"{path} {handler}", (*steps, "around", at)
            for key in ("retry_on", "discard_on"):
                paths = getattr(own.retry, key) if isinstance(own.retry, RetryBlock) else None
                yield from (
                    ("class", path, (*steps, "retry", key, at)) for at, path in enumerate(paths or ())
                )
    for number, case in enumerate(config.tests):
        yield from (("class", path, ("tests", number, *steps)) for path, steps in _raised(case))


def _raised(case: CaseBlock) -> Iterator[tuple[str, Steps]]:
    if isinstance(case.raises, tuple):
        yield from ((path, ("raises", at)) for at, path in enumerate(case.raises) if path is not None)
    elif case.raises is not None:
        yield case.raises, ("raises",)


class _Probe:
    """One child, and what it answered before it ended or had to be ended."""

    def __init__(self, root: str, checks: list[Check], limit: int) -> None:
        self.timed_out = False
        self.answers: dict[tuple[str, str], list[str] | None] = {}
        self.chains: dict[str, tuple[str, ...]] = {}
        self.begun: tuple[str, str] | None = None
        self._order = json.dumps({"root": root, "checks": [(one.kind, one.path) for one in checks]}).encode()
        self._root = root
        self._deadline = time.monotonic() + limit / 1000

    def run(self) -> _Probe:
        package = str(Path(pipeline.__file__).parents[1])
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._root,
            start_new_session=True,
        )
        try:
            self._talk(child)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
        return self

    def _talk(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is None or child.stdout is None:
            return
        with suppress(BrokenPipeError):
            child.stdin.write(self._order)
            child.stdin.close()
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, self._deadline - time.monotonic())):
                    self.timed_out = True
                    return
                data = os.read(child.stdout.fileno(), 65_536)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
                if not data:
                    return

    def _take(self, answer: dict[str, Any]) -> None:
        key = (answer["kind"], answer["path"])
        self.begun = key if answer["begun"] else None
        if not answer["begun"]:
            self.answers[key] = answer["problem"]
            if answer["chain"]:
                self.chains[answer["path"]] = tuple(answer["chain"])


def _settle(left: list[Check], probe: _Probe, loaded: Loaded, report: Report, limit: int) -> list[Check]:
    """Report what the child answered; returns what is still to be checked, in another child."""
    for one in left:
        if problem := probe.answers.get((one.kind, one.path)):
            _report(one, problem, loaded, report)
    stuck = next((one for one in left if (one.kind, one.path) == probe.begun), None)
    if stuck is None:
        return []
    within = f"{limit / 1000:g} s"
    code, message = "P506", f"importing {stuck.module} ends the process"
    if probe.timed_out:
        code, message = "P505", f"importing {stuck.module} takes longer than {within}"
    rest = [one for one in left if (one.kind, one.path) not in probe.answers]
    same = [one for one in rest if one.module == stuck.module]
    for one in same:
        _report(one, [code, message, ""], loaded, report)
    return [] if stuck.kind == "setup" else [one for one in rest if one not in same]


def _report(one: Check, problem: list[str], loaded: Loaded, report: Report) -> None:
    code, message, more = problem
    help = {
        "P501": f"it is looked for as {more} below the project's root, and among installed packages",
        "P502": f"did you mean '{near(one.name, more.split(','))}'?"
        if near(one.name, more.split(","))
        else "",
        "P504": "def handler(job): ..." if one.kind == "handler" else "def setup(): ...",
        "P509": more,
        "P505": "move slow work out of the import, or raise supervisor.import_timeout",
    }.get(code, "")
    for steps in one.places:
        report.error(code, message, loaded.origins.get(dotted(steps), TOP), steps, help)
