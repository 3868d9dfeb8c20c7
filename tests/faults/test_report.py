"""Rows as people read them, and the exit code of the suite."""

from __future__ import annotations

import subprocess
import sys

from faults import report
from faults.case import Row
from faults.checker import Counts

FINE = Row(case="F2", title="one", injects="kill | all", counts=Counts(5, 4, 5, 0, 0, 0, 1), extra=2, bites={"kills": 3},
           figures={"recovery": "5 ms"}, server="Valkey 9")  # fmt: skip
BAD = Row(case="F10", title="two", injects="reset", counts=Counts(3, 3, 2, 1, 0, 0, 0), violations=["1 lost"])


def test_a_row_shows_its_counts_and_what_broke():
    assert report.line(FINE) == "F2  ok   one: 5 4 5 0 0 0 1 + 2 | kills 3 | recovery 5 ms | 0.0 s"
    assert report.line(BAD).splitlines()[1] == "     ! 1 lost"


def test_the_document_has_a_row_a_case_in_order_and_names_what_broke():
    run = report.Run(7, long=False, arguments=["--seed", "7"], rows=[BAD, FINE])
    text = report.document(run)
    table = [line for line in text.splitlines() if line.startswith("| F")]
    assert table[0].startswith("| F2 | one: kill / all | 5 | 4 | 5 | 0 | 0 | 0 | 1 | 2 | kills 3 |")
    assert table[1].endswith("| **failed** |")
    assert "- F10: 1 lost" in text
    assert "seed 7" in text
    assert "1 of 2 faults survived; 7 jobs acknowledged, 1 lost, 0 unexpected; FAILED: F10" in text


def test_a_case_that_is_unknown_is_refused_with_the_names_there_are():
    done = subprocess.run(
        [sys.executable, "-m", "faults", "F99"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "no case F99; there are F1 F2" in done.stderr
