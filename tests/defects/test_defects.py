"""The checks can fail: each rule, broken on purpose in a copy of the project, turns the tests named for it red.

On demand, for it takes minutes:  python -m pytest -m world tests/defects
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.defects.defects import DEFECTS

ROOT = Path(__file__).parents[2]
COPIED = ("pipeline", "tests", "faults", "pyproject.toml", "schemas", "configs", "handlers")
SECONDS = 120


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project that may be broken."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    yield folder
    shutil.rmtree(folder)


def failed(copy: Path, tests: tuple[str, ...]) -> set[str]:
    """Which of these tests fail there, without their parameters."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rfE",
        "-p",
        "no:cacheprovider",
        "--timeout",
        "60",
        *tests,
    ]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    run = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS * 4, check=False
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    return {re.sub(r"\[.*", "", test) for test in re.findall(r"^FAILED (\S+::\w+)", run.stdout, re.MULTILINE)}


@pytest.mark.parametrize("rule", DEFECTS)
def test_a_rule_stands_in_one_place_that_can_be_broken(rule: str) -> None:
    """Else the text moved on, and the defect with it must."""
    defect = DEFECTS[rule]
    assert (ROOT / defect.file).read_text().count(defect.old) == 1


@pytest.mark.world
@pytest.mark.timeout(SECONDS * 5)
@pytest.mark.parametrize("rule", DEFECTS)
def test_a_broken_rule_turns_its_tests_red(copy: Path, rule: str) -> None:
    """Every named test fails with the defect."""
    defect = DEFECTS[rule]
    path = copy / defect.file
    whole = path.read_text()
    path.write_text(whole.replace(defect.old, defect.new))
    try:
        red = failed(copy, defect.tests)
    finally:
        path.write_text(whole)
    assert red == {re.sub(r"\[.*", "", test) for test in defect.tests}


@pytest.mark.world
@pytest.mark.timeout(SECONDS * 5)
def test_without_a_defect_all_of_them_are_green(copy: Path) -> None:
    """A test that fails anyway proves nothing."""
    assert (
        failed(copy, tuple(sorted({test for defect in DEFECTS.values() for test in defect.tests}))) == set()
    )
