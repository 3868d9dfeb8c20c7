"""`pipeline test` runs the tests of the file, and fails with them."""

from __future__ import annotations

import json
from typing import Any

Shop = Any
TESTS = """\
tests:
  - {name: mails are tried three times, queue: emails, raises: OSError, expect: {attempt: 3, delays: [10s, 10s]}}
  - {name: a payment is tried once, queue: payments, job: capture, raises: OSError, expect: {attempt: 2, total: 1s}}
"""


def test_each_test_has_a_line_and_a_failure_shows_the_difference(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text() + TESTS)
    result = shop.call("test", shop.file)
    line = len(shop.file.read_text().splitlines())
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "ok    mails are tried three times",
        f"FAIL  a payment is tried once  {shop.file}:{line}",
        "        attempt: expected 2, got 1",
        "        total: expected 1s, got 0s",
        "1 passed, 1 failed",
    ]


def test_programs_get_numbers(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text() + TESTS)
    told = json.loads(shop.call("test", "--json").stdout)
    assert (told["passed"], told["failed"]) == (1, 1)
    assert told["tests"][0]["got"] == {"attempt": 3, "delays": [10_000, 10_000]}
    assert told["tests"][1]["expected"] == {"attempt": 2, "total": 1_000}


def test_a_file_without_tests_is_no_failure(shop: Shop) -> None:
    assert "has no tests" in shop.ok("test")


def test_a_bad_test_is_a_finding_like_any_other(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text() + TESTS.replace("emails", "email"))
    for command in ("test", "validate"):
        result = shop.call(command, shop.file)
        assert result.exit_code == 1
        assert "error[P209]: the file has no queue 'email'" in result.output
        assert "did you mean 'emails'?" in result.output
