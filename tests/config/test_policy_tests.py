"""Policy tests decide as a worker does, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.handlers import chains
from pipeline.config.load import Loaded, load
from pipeline.config.policy_tests import Result, run, words

Write = Callable[[str], Path]
SHOP = """\
name: shop
retries:
  standard: {attempts: 3, backoff: {type: exponential, delay: 2s, max: 5m, jitter: 0.5}}
  payment: {extends: standard, attempts: 5, retry_on: [TimeoutError, 'errors:Busy'], discard_on: ['errors:Declined']}
queues:
  emails: {handler: null, timeout: 20s, retry: standard}
  payments:
    retry: payment
    jobs: {capture: {handler: null}, refund: {handler: null, timeout: null, retry: {attempts: 2}}}
tests:
  - """
ERRORS = """\
class Busy(Exception): ...
class VeryBusy(Busy): ...
class Declined(Busy): ...
"""


@pytest.fixture
def results(loaded: Callable[..., Loaded]) -> Callable[[str], list[Result]]:
    """The results of one test, written as YAML."""

    def of(case: str) -> list[Result]:
        read = loaded(SHOP + case)
        assert read.plan is not None, read.findings
        return list(run(read, {}))

    return of


@pytest.mark.parametrize(
    "case",
    [
        "{retry: standard, expect: {state: dead, attempt: 3, delays: [2s, 4s], total: 6s}}",
        "{retry: payment, expect: {delays: [2s, 4s, 8s, 16s], attempt: 5}}",
        "{retry: payment, raises: ValueError, expect: {state: dead, attempt: 1, delays: [], total: 0s}}",
        "{queue: emails, expect: {state: completed, attempt: 1}}",
        "{queue: emails, raises: [OSError, null], expect: {state: completed, attempt: 2, delays: [2s]}}",
        "{queue: emails, raises: [OSError, OSError], expect: {state: completed, attempt: 3}}",
        "{queue: emails, raises: [null, OSError], expect: {state: completed, attempt: 1}}",
        "{queue: emails, raises: OSError, after: 1s, expect: {state: dead, total: 9s}}",
        "{queue: emails, after: 20s, expect: {state: completed, total: 20s}}",
        "{queue: emails, after: 21s, expect: {state: dead, attempt: 3, total: 1m6s}}",
        "{queue: emails, raises: OSError, expect: {state: delayed, attempt: 1, total: 0s}}",
        "{queue: emails, raises: OSError, expect: {state: delayed, attempt: 2, delays: [2s, 4s], total: 2s}}",
        "{queue: emails, raises: 'pipeline:Discard', expect: {state: dead, attempt: 1}}",
        "{queue: payments, job: capture, raises: ConnectionError, expect: {state: dead, attempt: 1}}",
        "{queue: payments, job: capture, raises: 'errors:Busy', expect: {state: dead, attempt: 5}}",
        "{queue: payments, job: capture, raises: 'errors:Declined', expect: {state: dead, attempt: 1}}",
        "{queue: payments, job: capture, after: 11m, expect: {attempt: 5}}",
        "{queue: payments, job: refund, after: 11m, expect: {state: completed}}",
        "{queue: payments, job: refund, raises: KeyError, expect: {state: waiting, attempt: 1}}",
    ],
)
def test_what_follows_from_the_policy_is_what_is_expected(
    case: str, results: Callable[[str], list[Result]]
) -> None:
    (result,) = results(case.replace("{", "{name: it, ", 1))
    assert result.passed, (result.expected, result.got)


def test_a_test_that_fails_tells_what_came_out_and_where_it_stands(
    results: Callable[[str], list[Result]],
) -> None:
    (result,) = results("{name: curve, retry: standard, expect: {delays: [2s, 5s], attempt: 3}}")
    assert not result.passed
    assert result.got == {"attempt": 3, "delays": (2_000, 4_000)}
    assert words("delays", result.got["delays"]) == "[2s, 4s]"
    assert result.line == 11


def test_a_subclass_of_what_is_retried_is_retried(write: Write) -> None:
    case = "{name: a, queue: payments, job: capture, raises: 'errors:VeryBusy', expect: {attempt: 5}}"
    file = write(SHOP + case)
    (file.parents[1] / "errors.py").write_text(ERRORS)
    read = load(file, env={})
    findings, known = chains(read)
    assert findings == ()
    assert known["errors:VeryBusy"][:3] == ("errors:VeryBusy", "errors:Busy", "Exception")
    assert [result.passed for result in run(read, known)] == [True]
    assert [result.passed for result in run(read, {})] == [False], "without an import the name alone counts"


def test_an_exception_that_is_not_there_is_found_where_it_is_raised(write: Write) -> None:
    file = write(SHOP + "{name: a, retry: payment, raises: [null, 'errors:Bussy'], expect: {attempt: 5}}")
    (file.parents[1] / "errors.py").write_text(ERRORS)
    (found,) = chains(load(file, env={}))[0]
    assert (found.code, found.path, found.help) == ("P502", "tests.0.raises.1", "did you mean 'Busy'?")


def test_a_file_without_imports_asks_no_child(
    loaded: Callable[..., Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a child was started"))
    case = "{name: a, retry: standard, raises: OSError, expect: {attempt: 3}}"
    read = loaded("setup: boot:init\n" + SHOP + case)
    assert chains(read) == ((), {})
