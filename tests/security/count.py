"""A plugin of pytest that counts hostile inputs. A test is marked `security("S14", inputs=120)`: of which class it is and
how many inputs it tries, one if it does not say; `effects=True`: its assertions look for side effects."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.security.classes import CLASSES

PROPERTY, CRASH = "security", "crash"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("security"):
            for name in mark.args:
                record = (name, mark.kwargs.get("inputs", 1), mark.kwargs.get("effects", False))
                item.user_properties.append((PROPERTY, record))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """An exception that is no failed assertion is a crash."""
    report = yield
    if report.failed and call.excinfo is not None and not call.excinfo.errisinstance(AssertionError):
        report.user_properties.append((PROPERTY, CRASH))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    TALLY.add(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line("\n".join(TALLY.lines()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Only the process that has the reports of all tests can count them.
    if not hasattr(session.config, "workerinput") and TALLY.short() and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Tally:
    """What was tried of each class, and what came of it."""

    def __init__(self) -> None:
        self.inputs: Counter[str] = Counter()
        self.faults: dict[str, Counter[str]] = {
            "accepted": Counter(),
            "crashes": Counter(),
            "side effects": Counter(),
        }

    def add(self, report: pytest.TestReport) -> None:
        records: list[Any] = [value for key, value in report.user_properties if key == PROPERTY]
        crashed = CRASH in records
        for name, inputs, effects in (record for record in records if record != CRASH):
            if report.when == "call":
                self.inputs[name] += inputs
            if report.failed:
                fault = "crashes" if crashed else "side effects" if effects else "accepted"
                self.faults[fault][name] += 1

    def short(self) -> list[str]:
        """The classes of which less was tried than there should be."""
        return [name for name, one in CLASSES.items() if self.inputs[name] < one.least]

    def lines(self) -> list[str]:
        """The table, and the sum as its last line."""
        head = f"{'class':<6} {'rule':<66} {'inputs':>8} {'least':>6} {'accepted':>9} {'crashes':>8} {'effects':>8}"
        rows = [
            f"{name:<6} {one.rule:<66} {self.inputs[name]:>8} {one.least:>6} "
            f"{self.faults['accepted'][name]:>9} {self.faults['crashes'][name]:>8} {self.faults['side effects'][name]:>8}"
            for name, one in CLASSES.items()
        ]
        faults = ", ".join(f"{found.total()} {fault}" for fault, found in self.faults.items())
        few = [f"fewer inputs than there should be: {', '.join(self.short())}"] if self.short() else []
        return [head, *rows, *few, f"{self.inputs.total():,} hostile inputs, {faults}"]


TALLY = Tally()
