"""The shop's day, run as a user runs it, in a copy of the project."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 150
PARTS = ("configs", "examples", "handlers", "schemas")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The parts of the project that the shop is made of, with a state of their own."""
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.timeout(180)
def test_the_shops_books_agree_at_the_end_of_the_day(checkout: Path) -> None:
    # A day that hangs must not go on behind the tests that follow.
    with subprocess.Popen(
        [sys.executable, "examples/shop.py", "--plain"],
        cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as shop:  # fmt: skip
        try:
            said, _ = shop.communicate(timeout=PATIENCE)
        finally:
            # As Ctrl-C would: it ends what it started.
            shop.send_signal(signal.SIGINT)
    assert shop.returncode == 0, said
    summary = said.partition("The shop's day")[2]
    for death in ("CardDeclined", "GatewayBusy", "UnknownItem", "ValidationError", "no such mailbox"):
        assert death in summary
    assert "customers charged twice = none (0)" in summary
    assert "amount" in summary.partition("Refused at enqueue")[2]
