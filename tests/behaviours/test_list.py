"""The list is whole: each behaviour has a test, or a reason why ours is another."""

from __future__ import annotations

import re
from pathlib import Path

from tests.behaviours.conftest import BEHAVIOURS, DIFFERS

CLAIM = re.compile(r"^@behaviour\((.+)\)", re.MULTILINE)


def test_every_behaviour_has_a_test_or_a_reason_why_ours_is_another() -> None:
    files = Path(__file__).parent.glob("test_*.py")
    claims = [claim for file in files for claim in CLAIM.findall(file.read_text())]
    tested = {int(number) for claim in claims for number in claim.split(", ")}
    assert sorted(tested | DIFFERS.keys()) == list(BEHAVIOURS)
