"""Runs cases in processes of their own, several at once; whatever a case leaves behind dies with its group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import msgspec

from faults.case import Case, Row

SPARE = 120.0
"""Seconds that a case may take beyond its fault."""


def write(path: Path, row: Row) -> None:
    """Hand a row to the process that asked for it."""
    path.write_bytes(msgspec.json.encode(row))


@dataclass(frozen=True)
class Runner:
    """How cases are run."""

    seed: int
    long: bool
    server: str

    def run(self, cases: Sequence[Case], at_once: int) -> Iterator[Row]:
        """The row of each case, in the order in which they end."""
        with ThreadPoolExecutor(at_once) as threads:
            for done in as_completed([threads.submit(self._one, case) for case in cases]):
                yield done.result()

    def _one(self, case: Case) -> Row:
        with tempfile.TemporaryDirectory(prefix="pf-row-") as folder:
            path = Path(folder) / "row"
            said = self._process(case, path)
            if path.exists():
                return msgspec.json.decode(path.read_bytes(), type=Row)
        return Row(case=case.name, title=case.title, injects=case.injects, violations=[said])

    def _process(self, case: Case, path: Path) -> str:
        """Run a case; what to say when it leaves no row."""
        command = [sys.executable, "-m", "faults", case.name, "--seed", str(self.seed), "--row", str(path)]
        command += ["--long"] * self.long + (["--server", self.server] if self.server else [])
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        limit = (case.long if self.long else case.short) + SPARE
        try:
            said, _ = process.communicate(timeout=limit)
            return f"the case ended with {process.returncode}: {said[-2000:]}"
        except subprocess.TimeoutExpired:
            return f"the case did not end within {limit:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
