"""From a held job to an attempt, and from an exception to what it means."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Discard, RetryLater, StartError
from pipeline.job import Job, KeptError, Options, Runs, encode, encode_record
from pipeline.policy import Backoff, JobPolicy, QueuePolicy, RetryPolicy, Timeout
from pipeline.worker.attempt import (
    Attempt,
    Buffered,
    Handlers,
    Refused,
    class_name,
    describe,
    failure,
    retry_policy,
    timed_out,
)

HANDLERS = """
from typing import TypedDict
from pipeline import Job

class Order(TypedDict):
    id: int

async def send(job): ...
def sync(job): ...
def typed(job: Job[Order]): ...
def other(job): ...
"""
RETRY = RetryPolicy(3, Backoff("fixed", 100), ("TimeoutError",), ("ValueError",))


@pytest.fixture(scope="module", autouse=True)
def handlers_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("project")
    (root / "staff.py").write_text(HANDLERS)
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))
    sys.modules.pop("staff", None)


def queue(**more: Any) -> QueuePolicy:
    jobs = {
        "send": JobPolicy("staff:send", Timeout(soft=500, hard=2_000), RETRY),
        "sync": JobPolicy("staff:sync", Timeout(), RETRY),
        "typed": JobPolicy("staff:typed"),
        "stored": JobPolicy(None),
    }
    return QueuePolicy("emails", **({"jobs": jobs} | more))


def held(name: str, data: Any = None, options: Options | None = None, runs: Runs | None = None) -> Buffered:
    record = encode_record(1_000, name, data, *([options] if options else []))
    return Buffered(b"17", 4, record, encode(runs) if runs else None)


def begin(job: Buffered, policy: QueuePolicy | None = None) -> Attempt:
    attempt = Handlers(policy or queue()).begin(job, 50.0)
    assert isinstance(attempt, Attempt)
    return attempt


def refused(job: Buffered, policy: QueuePolicy | None = None) -> Refused:
    found = Handlers(policy or queue()).begin(job, 50.0)
    assert isinstance(found, Refused)
    return found


# --- an attempt ----------------------------------------------------------------------------------------


def test_a_handler_sees_its_job_with_its_place_and_attempt() -> None:
    job = begin(held("send", {"to": "ann"})).job
    assert (job.id, job.queue, job.name, job.data, job.enqueued_at) == (
        "17",
        "emails",
        "send",
        {"to": "ann"},
        1_000,
    )
    assert (job.attempt, job.attempts) == (1, 3)


def test_an_attempt_is_counted_from_those_spent_not_from_crashes() -> None:
    runs = Runs(1, 5, (KeptError(1, 1, "E", "m"), KeptError(2, 2, "E", "m")))
    assert begin(held("send", runs=runs)).job.attempt == 2


def test_deadlines_are_the_policys_from_the_beginning() -> None:
    attempt = begin(held("send"))
    assert (attempt.begun, attempt.soft, attempt.hard) == (50.0, 50.5, 52.0)
    attempt = begin(held("sync"))
    assert (attempt.soft, attempt.hard) == (math.inf, math.inf)


def test_what_a_job_brings_of_its_own_wins_over_the_policy() -> None:
    own = Options(attempts=9, timeout=Timeout(hard=100), backoff=Backoff("linear", 5))
    attempt = begin(held("send", options=own))
    assert (attempt.job.attempts, attempt.soft, attempt.hard) == (9, math.inf, 50.1)
    merged = retry_policy(attempt.job, attempt.policy)
    assert merged == RetryPolicy(9, Backoff("linear", 5), ("TimeoutError",), ("ValueError",))


@pytest.mark.parametrize(
    ("own", "merged"),
    [
        (Options(priority=4), RETRY),
        (Options(attempts=9), RetryPolicy(9, RETRY.backoff, RETRY.retry_on, RETRY.discard_on)),
        (
            Options(backoff=Backoff("fixed", 1)),
            RetryPolicy(3, Backoff("fixed", 1), RETRY.retry_on, RETRY.discard_on),
        ),
    ],
)
def test_of_a_retry_policy_only_what_the_job_brings_changes(own: Options, merged: RetryPolicy) -> None:
    attempt = begin(held("send", options=own))
    assert retry_policy(attempt.job, attempt.policy) == merged


def test_a_payload_is_made_the_type_that_the_handler_asks_for() -> None:
    assert begin(held("typed", {"id": 5})).job.data == {"id": 5}


# --- refusals ------------------------------------------------------------------------------------------


def test_a_payload_that_does_not_fit_is_dead_at_once_with_the_reason() -> None:
    found = refused(held("typed", {"id": "five"}))
    assert found.failure.discard
    assert found.failure.error.type == "ValidationError"
    assert "$.id" in found.failure.error.message


@pytest.mark.parametrize("name", ["gone", "stored"])
def test_a_job_without_a_handler_is_dead_at_once(name: str) -> None:
    found = refused(held(name))
    assert found.failure.discard
    assert found.failure.error.message == f"queue 'emails' has no handler for '{name}'"
    assert (found.id, found.lease, found.job.name) == (b"17", 4, name)


@pytest.mark.parametrize("record", [b"nonsense", b"[1]", b'{"a": 1}', b'["x","send",null]'])
def test_a_record_that_cannot_be_read_is_dead_at_once(record: bytes) -> None:
    found = refused(Buffered(b"17", 4, record))
    assert found.failure.discard
    assert found.failure.error.message.startswith("its record cannot be read: ")
    assert found.job.id == "17"


# --- handlers and policies -----------------------------------------------------------------------------


def test_the_handler_of_the_queue_takes_the_names_not_listed() -> None:
    policy = queue(others=JobPolicy("staff:other"))
    assert begin(held("anything"), policy).handler.path == "staff:other"
    assert begin(held("send"), policy).handler.path == "staff:send"


def test_a_new_policy_holds_from_the_next_job_on() -> None:
    handlers = Handlers(queue())
    handlers.table = handlers.prepare(
        queue(jobs={"send": JobPolicy("staff:sync", retry=RetryPolicy(attempts=8))})
    )
    attempt = handlers.begin(held("send"), 0.0)
    assert isinstance(attempt, Attempt)
    assert (attempt.handler.path, attempt.job.attempts) == ("staff:sync", 8)
    assert isinstance(handlers.begin(held("sync"), 0.0), Refused)


def test_a_policy_whose_handler_cannot_be_found_changes_nothing_that_runs() -> None:
    handlers = Handlers(queue())
    with pytest.raises(StartError):
        handlers.table = handlers.prepare(queue(jobs={"send": JobPolicy("staff:nothing")}))
    assert isinstance(handlers.begin(held("send"), 0.0), Attempt)


def test_another_policy_imports_no_handler_again() -> None:
    handlers = Handlers(queue())
    before = handlers.table.named["send"].handler
    assert handlers.prepare(queue(concurrency=3)).named["send"].handler is before


def test_another_executor_is_checked_with_handlers_that_are_loaded() -> None:
    handlers = Handlers(queue())
    with pytest.raises(StartError, match="executor: thread"):
        handlers.prepare(queue(executor="thread"))


def test_which_kinds_of_handlers_a_queue_has() -> None:
    assert Handlers(queue()).table.kinds == {True, False}
    assert Handlers(QueuePolicy("q", others=JobPolicy("staff:send"))).table.kinds == {True}
    assert Handlers(QueuePolicy("q", jobs={"x": JobPolicy(None)})).table.kinds == set()
    handlers = Handlers(queue())
    assert [handlers.is_async(held(name).record) for name in ("send", "sync", "gone")] == [True, False, True]


@pytest.mark.parametrize(("executor", "path"), [("async", "staff:sync"), ("thread", "staff:send")])
def test_a_handler_that_the_executor_cannot_run_stops_the_start(executor: Any, path: str) -> None:
    with pytest.raises(StartError, match=f"but the queue says executor: {executor}"):
        Handlers(QueuePolicy("q", others=JobPolicy(path), executor=executor))


# --- what an exception means ---------------------------------------------------------------------------


class Declined(ValueError):
    pass


def test_an_error_is_described_with_the_names_of_its_classes() -> None:
    error = describe(Declined("no money"))
    assert (error.type, error.message) == ("Declined", "no money")
    assert error.mro == (f"{__name__}:Declined", "ValueError", "Exception", "BaseException", "object")
    assert class_name(TimeoutError) == "TimeoutError"


def test_an_error_keeps_its_traceback_with_its_cause() -> None:
    try:
        try:
            raise KeyError("first")  # noqa: TRY301 - a chain of two is what is looked at
        except KeyError as first:
            raise Declined("second") from first
    except Declined as error:
        text = describe(error).traceback
    assert "KeyError: 'first'" in text
    assert "raise Declined" in text


def test_an_error_whose_text_cannot_be_made_is_described_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert describe(Broken()).message == "<its text cannot be made: RuntimeError>"


def test_an_error_about_a_file_with_an_undecodable_name_can_be_kept() -> None:
    error = describe(OSError("no \udcff"))
    assert error.message == "no \\udcff"
    encode(error)


def test_discard_makes_dead_and_retry_later_comes_back() -> None:
    assert failure(Discard("declined")).discard
    assert failure(Discard("declined")).error.message == "declined"
    assert failure(RetryLater("30s")).later == 30_000
    assert failure(RetryLater(timedelta(seconds=2), "busy")).later == 2_000
    plain = failure(ValueError("x"))
    assert (plain.discard, plain.later) == (False, None)


@pytest.mark.parametrize(("delay", "type"), [("soon", "ValueError"), (30, "TypeError"), (None, "TypeError")])
def test_a_retry_later_without_a_duration_is_a_failure_that_says_so(delay: Any, type: str) -> None:
    found = failure(RetryLater(delay))
    assert (found.later, found.error.type) == (None, type)


def test_a_hard_limit_is_a_timeout_error() -> None:
    found = timed_out(Timeout(hard=1_500))
    assert (found.error.message, found.error.mro) == ("ran for more than 1.5 s", ("TimeoutError",))


def test_a_buffered_job_knows_its_priority() -> None:
    assert held("send", options=Options(priority=-3)).priority == -3
    assert held("send").priority == 0
    job: Job[Any] = begin(held("send", options=Options(priority=2))).job
    assert job.options.priority == 2
